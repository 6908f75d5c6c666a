"""The faults of a run, drawn before it begins: what breaks, when, where, and for how long.

Nothing here depends on how the run goes (a fault that makes no sense when its time comes is left out), so that
shrinking can take any of them away and keep the others as they are."""

import random
from dataclasses import dataclass

from kingd.core.timing import MS

KINDS = (
    "crash",  # the process dies, and its guardian with it; it comes back with what its disk held
    "kill",  # the same, and its guardian sends the obituary
    "false_obituary",  # of a session that lives
    "power",  # the same, and the host's clock begins anew
    "blackout",  # the same, all hosts at once
    "amnesia",  # the state is lost or torn: it comes back as another node
    "pause",  # SIGSTOP, or a host that does not get to run
    "stutter",  # short pauses, many hosts
    "partition",  # in two or three
    "one_way",  # one link, one direction
    "deaf",  # hears nobody
    "mute",  # heard by nobody
    "multicast_cut",  # a link passes no multicast
    "unicast_cut",  # a link passes no unicast
    "clog",  # what a link is given arrives late, all at once
    "priority",
    "voters",  # the list changes by one name, host after host; quorum mode only
    "stop",  # planned, and started again later
    "step_down",
    "unplug",  # no network interface is usable
    "disk_slow",  # takes up to 3 s
    "disk_full",  # cannot be written
    "renumber",  # its port changes
    "survey",
)
TIMING = "timing"  # an operator changes a host's timing; only where they differ
LOSS = "loss"  # the leader is cut off, and another host has lost its state a moment before; there, too
RELOAD = "reload"  # the leader's timing changes while some do not hear it, and a voter loses its state
TWO = "two"  # the same, and two voters lose it within one lease
AGAIN = "again"  # the same, and one of these once more, before it has recovered
TOLD = "told"  # as TWO, where the second one hears of the leader's lease only from the first, which was told
LATE = "late"  # the leader stops as it raises its term, and a voter forgets that it has granted that
FORK = "fork"  # two lists of voters follow one, and each is known to some only
LOSSES = (RELOAD, TWO, AGAIN, TOLD, LATE)
ON_LEADER = ("crash_leader", "cut_leader")  # whoever leads then; only where there is an adversary


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    at_us: int  # since the start
    kind: str
    host: int
    lasts_us: int
    luck: int  # seed of its details


def plan(
    rng: random.Random, *, kinds: tuple[str, ...], hosts: int, until_us: int, every_us: int, lasts_us: int
) -> tuple[Fault, ...]:
    """Swarm testing: each run has only some kinds, in its own mixture; one with all of them rarely gets anywhere."""
    if not kinds:
        return ()
    weights = [rng.uniform(0.1, 1) for _ in kinds]
    faults = []
    at_us = 0
    while (at_us := at_us + rng.randint(every_us // 4, 2 * every_us)) < until_us:
        faults.append(
            Fault(
                at_us=at_us,
                kind=rng.choices(kinds, weights)[0],
                host=rng.randrange(hosts),
                lasts_us=rng.randint(min(10 * MS, lasts_us), 2 * lasts_us),
                luck=rng.getrandbits(32),
            )
        )
    return tuple(faults)
