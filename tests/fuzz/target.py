"""What all targets have."""

import random
from typing import ClassVar


class Target:
    """Made with a generator; each `step` gives one input to what it tests, asserts what must hold whatever the input, and
    returns in a word what became of it. After `steps` of them it is closed, and made anew with the next seed."""

    steps: ClassVar = 1000

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.data = b""  # the input, for the report of a failure

    def step(self) -> str:
        raise NotImplementedError

    def close(self) -> None:
        """Free what it holds."""
