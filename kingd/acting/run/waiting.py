"""Until this host leads, before anything is run. No process but the one that waits."""

import time

from kingd.acting.waiting import until_leading
from kingd.cli.exits import NOT_LEADER, OK, UNKNOWN, say
from kingd.cli.leader import if_still_good, unknown
from kingd.cli.text import age, clean
from kingd.control.answer import text
from kingd.control.validity import Answer


def look(socket: str, *, timeout_s: float) -> int:
    """OK: it leads; NOT_LEADER or UNKNOWN: why not was told. KingdError: no answer."""
    answer = Answer(socket, timeout_s=timeout_s)
    if answer.is_over:
        return if_still_good(answer, OK)
    if answer.is_me:
        return OK
    if answer.leader is None:
        code, words = unknown(answer.status)
        say(clean(words))
        return UNKNOWN if code == UNKNOWN else NOT_LEADER
    say(clean(f"{text(answer.leader, 'name')} leads, not this host: nothing was run"))
    return NOT_LEADER


def wait(socket: str, *, timeout_s: float, end_s: float, total_s: float) -> int:
    """OK, or NOT_LEADER at `end_s` (CLOCK_MONOTONIC), when `total_s` have passed. KingdError: the daemon stopped, or gave no
    answer in `timeout_s`."""
    if until_leading(socket, timeout_s=timeout_s, total_s=end_s - time.monotonic()):
        return OK
    say(f"time ran out: after {age(total_s * 1000)} this host does not lead, and nothing was run")
    return NOT_LEADER
