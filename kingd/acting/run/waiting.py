"""Until this host leads, before anything is run. No process but the one that waits."""

import time

from kingd.cli.exits import NOT_LEADER, OK, UNKNOWN, say
from kingd.cli.leader import if_still_good, unknown
from kingd.cli.text import age, clean
from kingd.control import validity
from kingd.control.answer import text
from kingd.control.client import CallFailed, CallTimedOut
from kingd.control.validity import Answer

_BUSY_AGAIN_S = 1.0


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


def wait(socket: str, *, timeout_s: float, total_s: float) -> int:
    """OK, or NOT_LEADER when `total_s` have passed. KingdError: the daemon stopped, or gave no answer in `timeout_s`."""
    end_s = time.monotonic() + total_s
    while True:
        left_s = end_s - time.monotonic()
        try:
            validity.wait(socket, me=True, first_s=timeout_s, total_s=max(left_s, 0.0))
        except CallTimedOut:
            if time.monotonic() < end_s:
                raise
            say(f"time ran out: after {age(total_s * 1000)} this host does not lead, and nothing was run")
            return NOT_LEADER
        except CallFailed as error:
            if error.name != "org.kingd.Busy":
                raise
            time.sleep(max(0.0, min(_BUSY_AGAIN_S, left_s)))  # all places for who waits are taken: ask now and then
        else:
            return OK
