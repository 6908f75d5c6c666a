"""A loop that a test turns by itself."""

import time
from collections.abc import Callable

from kingd.control.service import Answer, JsonObject, ServiceError
from kingd.loop import Loop

LIMIT_S = 10.0


def until(loop: Loop, condition: Callable[[], object]) -> None:
    """Run it until this is so."""
    end_s = time.monotonic() + LIMIT_S

    def look() -> None:
        if condition():
            loop.stop()
            return
        assert time.monotonic() < end_s, "waited in vain"
        loop.call_later(0.005, look)

    look()
    loop.run()


def run_for(loop: Loop, duration_s: float) -> None:
    loop.call_later(duration_s, loop.stop)
    loop.run()


def answered(loop: Loop, ask: Callable[[Answer], None]) -> JsonObject:
    """What is answered at last. Raises a ServiceError that is the answer."""
    answers: list[JsonObject | bytes | ServiceError] = []
    ask(answers.append)
    until(loop, lambda: answers)
    (answer,) = answers
    if isinstance(answer, ServiceError):
        raise answer
    assert isinstance(answer, dict)
    return answer
