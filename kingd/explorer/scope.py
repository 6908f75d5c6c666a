"""What is explored: which hosts, from where on, which datagrams travel, which faults happen, for how long.

A scope is small on purpose: everything that can happen within it happens, in every order."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from kingd.core.settings import Settings, Voters
from kingd.core.timing import MS, Timing
from kingd.core.wire.message import (
    Ack,
    Body,
    Claim,
    Grant,
    Heartbeat,
    Offer,
    Ready,
    Refuse,
    Resign,
)

TICK_US = 500 * MS
"""The unit of all durations in a scope; time moves from one instant at which something is due to the next."""

ELECTION: frozenset[type[Body]] = frozenset({Claim, Grant, Refuse, Resign, Heartbeat, Ack})
HANDOVER: frozenset[type[Body]] = ELECTION | {Offer, Ready}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticks(Timing):
    """All durations in ticks, as few as keep their order. Nothing is sent again by a timer: the network keeps a datagram
    for as long as it likes, so that the first copy does for all."""

    heartbeat_us: int = TICK_US
    leader_timeout_us: int = 2 * TICK_US
    resends_us: tuple[int, ...] = ()
    round_trip_us: int = TICK_US
    claim_timeout_us: int = TICK_US
    slot_us: int = TICK_US
    grant_us: int = 2 * TICK_US
    ask_after_us: int = TICK_US
    ping_us: int = 2 * TICK_US
    contact_us: int = 8 * TICK_US
    join_wait_us: int = TICK_US
    stall_us: int = 4 * TICK_US
    transfer_us: int = TICK_US
    ready_us: int = 2 * TICK_US


class Fault(NamedTuple):
    """May happen once, at any moment, to one host.

    crash: the process ends. restart: it ends and starts again, with its disk. forget: the same, and its disk is lost.
    start: a host of `copies` starts.
    step-down (value: to whom), stop, priority (its new one), reload (its new list, where it is not refused),
    timeout (its new leader timeout, in ticks): what an operator does. believe: the host is told, rightly or not, that its
    leader is dead. repeat: a datagram comes twice. stray: it comes to another host, too. poison: it comes once more, and
    names this term (value) somewhere."""

    kind: Literal[
        "start",
        "crash",
        "restart",
        "forget",
        "step-down",
        "stop",
        "priority",
        "reload",
        "timeout",
        "believe",
        "repeat",
        "stray",
        "poison",
    ]
    host: int = 0
    value: int | str | tuple[str, ...] | None = None


TO_DATAGRAMS = ("repeat", "stray", "poison")
"""Faults that happen to what is on its way, and to no host."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    name: str
    hosts: tuple[Settings, ...]
    start: Literal["new", "cold", "led", "resigned", "split"] = "led"
    """new: all have just met, and none has a history; cold: all know each other, nobody leads; led: the first leads, all
    follow; resigned: it has just given its ballot to the second, and the ticket is on its way; split: each leads alone, and
    knows of nobody."""
    led_ticks: int = 0  # for how long the first has led by then
    # (host, of whom): does not run at the start, and has the state folder of the other one
    copies: tuple[tuple[int, int], ...] = ()
    namesakes_hear: bool = True  # such two hear each other as soon as the second one starts
    lists: tuple[Voters, ...] = ()  # of each host: what its disk has as in force; empty: nobody has a disk
    asleep: frozenset[int] = frozenset()  # who has slept through the start, and heard nothing
    apart: frozenset[int] = frozenset()  # who hears nothing of the others from then on, nor these of them
    carries: frozenset[type[Body]] = ELECTION
    ticks: float = 4
    more: float = (
        1  # of the ticks that a longer run adds it takes so many: half of them where it would not end otherwise
    )
    term_max: int = 3  # above the terms of the start: what goes further is not looked at
    faults: tuple[Fault, ...] = ()
    faults_max: int = 1  # so many of them in one run
    stalls: frozenset[int] = frozenset()  # hosts whose timers may fire late, or never
    rates: tuple[int, ...] = ()  # ticks of each host's clock in 1000 true ones; empty: all are right
    late_ticks: int = 1  # what has been on its way for longer does not arrive,
    any_time: frozenset[type[Body]] = frozenset()  # but for these
    exported: bool = False  # somebody acts on a leader's lease until its end, even if the leader has crashed
    disk: bool = False  # writing takes time: it may end at any later moment, or never
    announces: bool = False  # what a host says of its lists is heard by each other one at any moment, or never
    # Lists: from each state, if all hosts are given one of them, and all that they say arrives, one leads by it (heal.py).
    heals: tuple[tuple[str, ...], ...] = ()

    def hears(self, host: int, other: int) -> bool:
        return (host in self.apart) == (other in self.apart)

    @property
    def repeats(self) -> bool:
        return any(fault.kind in ("repeat", "stray") for fault in self.faults)
