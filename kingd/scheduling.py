"""Runs before others on a busy host, where the timing asks for it.

A processor that has twice the work that it can do lets a process wait for 8 ms, or for 150 ms where the kernel does not keep
services apart (measured: docs/performance.md). With the default timing that costs nothing. With a leader timeout below
that it looks like a death, so the daemon, and who hears it for `kingctl run`, take real-time priority then, if the kernel lets
them: as root, or with RLIMIT_RTPRIO (systemd: LimitRTPRIO=)."""

import os
from contextlib import suppress

NEEDED_BELOW_US = 250_000
"""A leader timeout, in microseconds, that a busy host with normal priority may not keep."""

_ORDINARY = (os.SCHED_OTHER, os.SCHED_BATCH, os.SCHED_IDLE)
_OURS = (os.SCHED_RR | os.SCHED_RESET_ON_FORK, 1)  # the lowest real-time priority is above all normal processes


def prefer(leader_timeout_us: int) -> str:
    """Give this thread the priority that the timing needs, or what is to be done within so long. "", or a sentence on why it
    may not have it. Children and new threads begin with normal priority. One above the ordinary that somebody else has set
    stays, for this thread (for its children, too, where the kernel does not let it change anything)."""
    policy, priority = os.sched_getscheduler(0), os.sched_getparam(0).sched_priority
    if leader_timeout_us >= NEEDED_BELOW_US:
        if (policy, priority) == _OURS:
            os.sched_setscheduler(0, os.SCHED_OTHER | os.SCHED_RESET_ON_FORK, os.sched_param(0))
        return ""
    if policy & ~os.SCHED_RESET_ON_FORK not in _ORDINARY:
        with suppress(OSError):
            os.sched_setscheduler(0, policy | os.SCHED_RESET_ON_FORK, os.sched_param(priority))
        return ""
    try:
        os.sched_setscheduler(0, _OURS[0], os.sched_param(_OURS[1]))
    except OSError as error:
        return (
            f"no real-time priority ({error.strerror}): with a leader timeout of {leader_timeout_us // 1000} ms leadership may "
            'change for nothing while a host is busy; allow it (kingd(8), "FAST DETECTION") or choose a longer timeout'
        )
    return ""
