"""Until this host leads, before anything is run because of it."""

import time

from kingd.control import validity
from kingd.control.client import CallFailed, CallTimedOut

_BUSY_AGAIN_S = 1.0


def until_leading(socket: str, *, timeout_s: float, total_s: float) -> bool:
    """Whether it does, before `total_s` have passed. KingdError: the daemon stopped, or gave no answer in `timeout_s`."""
    end_s = time.monotonic() + total_s
    while True:
        left_s = end_s - time.monotonic()
        try:
            validity.wait(socket, me=True, first_s=timeout_s, total_s=max(left_s, 0.0))
        except CallTimedOut:
            if time.monotonic() < end_s:
                raise
            return False
        except CallFailed as error:
            if error.name != "org.kingd.Busy":
                raise
            time.sleep(max(0.0, min(_BUSY_AGAIN_S, left_s)))  # all places for who waits are taken: ask now and then
        else:
            return True
