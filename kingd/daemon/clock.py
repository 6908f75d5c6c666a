"""The one clock of the election: CLOCK_BOOTTIME, which counts the time in which the machine was suspended, too.
And how a time of the calendar is written, for people."""

import os
import time
from contextlib import suppress
from functools import lru_cache

from kingd.records import dataclass


def now_us() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000


@dataclass(frozen=True, slots=True)
class Instant:
    """One moment by three clocks."""

    us: int  # CLOCK_BOOTTIME
    monotonic_ns: int  # CLOCK_MONOTONIC, for who compares hosts of one machine
    wall_s: float  # since the epoch


@lru_cache(maxsize=1)  # all that one step tells happened at one moment
def instant(us: int) -> Instant:
    """A moment of the election's clock, a short while ago. What a step of the core brings about is told after all that the step
    sends: another host may have answered by then, and the stories of the two would be in the wrong order."""
    ago_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - us * 1000
    monotonic_ns = time.clock_gettime_ns(time.CLOCK_MONOTONIC) - ago_ns
    return Instant(us, monotonic_ns, time.time() - ago_ns / 1e9)


def boot_id() -> str:
    """Within one boot `now_us` only goes on. "" = not known. systemd tells it (%b), for the unit does not see /proc/sys."""
    told = os.environ.get("KINGD_BOOT_ID", "")
    with suppress(OSError), open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:  # noqa: PTH123 - pathlib is megabytes
        told = told or file.read()
    return told.strip().replace("-", "")


def moment(wall_s: float) -> str:
    """`2026-11-23T12:00:00.000Z`"""
    whole_s, ms = divmod(int(wall_s * 1000), 1000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(whole_s))}.{ms:03}Z"
