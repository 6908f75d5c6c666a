"""The one clock of the election: CLOCK_BOOTTIME, which counts the time in which the machine was suspended, too.
And how a time of the calendar is written, for people."""

import time


def now_us() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000


def moment(wall_s: float) -> str:
    """`2026-11-23T12:00:00.000Z`"""
    whole_s, ms = divmod(int(wall_s * 1000), 1000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(whole_s))}.{ms:03}Z"
