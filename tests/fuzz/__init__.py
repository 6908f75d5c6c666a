"""Damaged inputs, by the million, through everything that reads what others wrote: `python -m tests.fuzz`.

Each batch of a target has a seed of its own, so that a failure is found again by that seed.
"""

import random
from collections import Counter
from contextlib import closing

from tests.fuzz.control import Calls, Clients
from tests.fuzz.datagrams import Codec, Election
from tests.fuzz.files import Configuration, Keys, State
from tests.fuzz.target import Target

TARGETS: dict[str, type[Target]] = {
    "codec": Codec,
    "election": Election,
    "calls": Calls,
    "clients": Clients,
    "config": Configuration,
    "keys": Keys,
    "state": State,
}


def fuzz(name: str, *, inputs: int, seed: int) -> Counter[str]:
    """How often each outcome. Whatever else is raised is a finding; its notes say how to see it again."""
    outcomes = Counter[str]()
    while outcomes.total() < inputs:
        with closing(TARGETS[name](random.Random(seed))) as target:
            try:
                for _ in range(min(target.steps, inputs - outcomes.total())):
                    outcomes[target.step()] += 1
            except Exception as error:
                error.add_note(f"input: {target.data.hex()}")
                error.add_note(f"replay: python -m tests.fuzz {name} --inputs {target.steps} --seed {seed}")
                raise
        seed += 1
    return outcomes
