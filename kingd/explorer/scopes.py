"""The scopes that are explored, by name: small clusters with a and b as candidates, and c (and d) that only votes; in
lists-fork c leads, and a only votes.

Quorum scopes have a lease of two ticks. Who runs one for longer than CI does gives it more ticks (`__main__.py`)."""

from dataclasses import replace
from typing import Any

from kingd.core.settings import Settings, Voters
from kingd.core.state.node import TERM_JUMP_MAX
from kingd.core.wire.message import Ack, Announce, Body, Claim, Grant, Heartbeat, Probe, ProbeAck, Refuse, Resign, Term
from kingd.core.wire.voter_list import Generation
from kingd.explorer.scope import ELECTION, HANDOVER, TICK_US, Fault, Scope, Ticks

VOTERS = ("a", "b", "c")
FOUR = ("a", "b", "c", "d")


def box(name: str, priority: int, voters: tuple[str, ...] = VOTERS, *, round_trip_ticks: float = 1) -> Settings:
    ticks = Ticks(leader_timeout_us=TICK_US, round_trip_us=round(round_trip_ticks * TICK_US))
    return Settings(cluster=1, name=name, version="1", priority=priority, voters=voters, timing=ticks)


def alike(*boxes: Settings, voters: tuple[str, ...]) -> tuple[Settings, ...]:
    return tuple(replace(each, voters=voters) for each in boxes)


A, B, C, D = box("a", 100), box("b", 100), box("c", 0), box("d", 0)
THREE = (A, B, C)
PATIENT = tuple(replace(each, voters=(), timing=Ticks()) for each in THREE)  # availability mode

VOTES: frozenset[type[Body]] = frozenset({Claim, Grant, Heartbeat, Ack})
TICKETS = HANDOVER - {Heartbeat, Ack}

POISON = (Fault("poison", value=(1 << 64) - 1), Fault("poison", value=TERM_JUMP_MAX + 100))


AB, ABZ = ("a", "b"), ("a", "b", "z")  # z: a name that no host has
NO_ELECTION: dict[str, Any] = {"carries": frozenset(), "announces": True, "term_max": 20}  # Any: as for `scope`


def _reloads(*hosts: int, lists: tuple[tuple[str, ...], ...]) -> tuple[Fault, ...]:
    return tuple(Fault("reload", host, names) for names in lists for host in hosts)


def scope(name: str, ticks: float, *faults: Fault, **changes: Any) -> Scope:  # Any: fields of Scope
    return Scope(**{"name": name, "ticks": ticks, "faults": faults, "hosts": THREE, "late_ticks": 0, **changes})


_QUORUM = (
    scope("cold", 1, start="cold"),
    scope("plain", 3),
    scope("plain-late", 2, late_ticks=1, more=0.5),
    scope("late-acks", 4, carries=VOTES, any_time=frozenset({Ack})),
    scope("late-grants", 3, any_time=frozenset({Grant})),
    scope("late-claims", 3, any_time=frozenset({Claim}), more=0.5),
    scope("repeats", 2.2, Fault("repeat")),
    scope("strays", 2.2, Fault("stray")),
    scope("poison", 1, *POISON, start="cold", carries=VOTES),
    scope("poison-led", 0.5, Fault("step-down", 0, "b"), *POISON, faults_max=2, carries=TICKETS),
    scope("hand-over", 1, Fault("step-down", 0, "b"), carries=TICKETS),
    scope(
        "second-transfer",
        0,
        Fault("step-down", 0, "b"),
        Fault("step-down", 0, "c"),
        hosts=(A, B, replace(C, priority=100)),
        carries=TICKETS - {Grant},
        faults_max=2,
        more=0.5,
    ),
    scope(
        "second-ticket",
        1,
        Fault("step-down", 0, "b"),
        Fault("step-down", 0, "c"),
        hosts=(A, B, replace(C, priority=100)),
        start="resigned",
        carries=frozenset({Claim, Grant, Resign}),
        more=0.5,
    ),
    scope("late-tickets", 1, start="resigned", carries=frozenset({Claim, Grant, Resign})),
    scope("successor-dies", 1, Fault("crash", 1), start="resigned", carries=frozenset({Claim, Grant, Resign})),
    scope("stop", 1, Fault("stop", 0), carries=TICKETS),
    scope("priority", 0.5, Fault("priority", 1, 200), Fault("priority", 0, 0), carries=TICKETS),
    scope(
        "priority-cold",
        0.5,
        *(Fault("priority", host, value) for host in (0, 1) for value in (0, 200)),
        start="cold",
    ),
    scope("false-obituary", 2.2, Fault("believe", 1), Fault("believe", 2), faults_max=2),
    scope(
        "true-obituary",
        2.2,
        Fault("crash", 0),
        Fault("believe", 1),
        Fault("believe", 2),
        faults_max=3,
        exported=True,
        carries=VOTES,
    ),
    scope(
        "silence",
        2.6,
        hosts=tuple(box(each.name, each.priority, round_trip_ticks=0.5) for each in THREE),
        late_ticks=1,
        carries=ELECTION - {Resign},
    ),
    scope("restart-voter", 2.15, Fault("restart", 2), term_max=9, carries=VOTES),
    scope("restart-leader", 2.1, Fault("restart", 0), term_max=9, carries=VOTES),
    scope(
        "forget",
        3.2,
        Fault("forget", 2),
        term_max=9,
        carries=frozenset({Claim, Grant, Ack}),
        asleep=frozenset({1}),
        stalls=frozenset({1}),
    ),
    scope(
        "forget-mixed",
        3.4,
        Fault("forget", 2),
        hosts=(replace(A, timing=Ticks()), B, replace(C, timing=Ticks(leader_timeout_us=TICK_US // 2))),
        term_max=9,
        carries=frozenset({Claim, Grant}),
        any_time=frozenset({Claim}),
        asleep=frozenset({1}),
    ),
    scope("disk", 0.5, start="cold", disk=True, carries=VOTES),
    scope("stalls", 2.2, stalls=frozenset({0})),
    scope("fast-leader", 3, rates=(1010, 990, 990)),
    scope("slow-leader", 3, rates=(990, 1010, 1010)),
    scope("observer", 3, hosts=(A, replace(B, priority=0), C)),
    scope("two-voters", 4, hosts=alike(A, B, voters=("a", "b")), late_ticks=1),
    scope("one-voter", 4, hosts=alike(A, B, voters=("a",)), late_ticks=1),
    scope("non-voter", 3, hosts=alike(A, B, C, voters=("b", "c"))),
    scope("four-hosts", 2.2, hosts=(A, B, C, D), start="cold", carries=frozenset({Claim, Grant})),
    scope(
        "four-voters", 1, hosts=alike(A, B, C, D, voters=FOUR), start="cold", carries=frozenset({Claim, Grant, Refuse})
    ),
    scope(
        "voters-change",
        1,
        *(Fault("reload", host, FOUR) for host in range(4)),
        hosts=(*THREE, D),
        faults_max=4,
        more=0.5,
    ),
    scope(
        "voters-steps",
        7,
        *(Fault("reload", host, voters) for voters in (("a", "b"), ("b",)) for host in (0, 1)),
        hosts=alike(A, B, voters=("a",)),
        faults_max=4,
        carries=VOTES,
    ),
    scope(
        "lists-apart",
        0,
        *_reloads(0, 1, lists=(AB, ABZ)),
        *(Fault("restart", host) for host in (0, 1)),
        hosts=alike(A, B, voters=AB),
        led_ticks=5,
        heals=(AB, ABZ),
        faults_max=4,
        **NO_ELECTION,
    ),
    scope(
        "lists-fork",
        2.1,
        Fault("reload", 0, FOUR[1:]),
        Fault("reload", 1, VOTERS),
        hosts=(box("c", 100, FOUR), box("b", 100, FOUR[1:]), box("d", 0, FOUR[1:]), box("a", 0)),
        lists=(Voters(FOUR), Voters(FOUR), Voters(FOUR), Voters(VOTERS, Generation(Term(1), 1))),
        asleep=frozenset({3}),
        apart=frozenset({1, 3}),
        announces=True,
        faults_max=2,
        carries=VOTES,
    ),
    scope("lease-change", 2.2, Fault("timeout", 0, 2), Fault("timeout", 2, 2), faults_max=2),
    scope("namesake", 2.2, Fault("start", 3), hosts=(A, B, C, A), copies=((3, 0),), carries=VOTES),
    scope("nothing-arrives", 4, start="cold", carries=frozenset()),
)

_AVAILABILITY = (
    scope("av-cold", 3, hosts=PATIENT, start="cold"),
    scope("av-plain", 3, hosts=PATIENT),
    scope("av-late", 2, hosts=PATIENT, late_ticks=1),
    scope("av-hand-over", 1, Fault("step-down", 0, "b"), hosts=PATIENT, carries=HANDOVER, more=0.5),
    scope(
        "av-raise",
        2,
        hosts=PATIENT,
        asleep=frozenset({2}),
        carries=frozenset({Claim, Grant, Resign, Heartbeat, Probe}),
    ),
    scope("av-restart", 1, Fault("restart", 0), Fault("restart", 2), hosts=PATIENT),
    scope("av-merge", 1, hosts=PATIENT[:2], start="split", carries=HANDOVER),
    scope(
        "av-swap",
        0.5,
        Fault("priority", 0, 150),
        Fault("priority", 1, 200),
        hosts=PATIENT[:2],
        start="split",
        carries=HANDOVER,
        faults_max=2,
    ),
    *(
        scope(
            f"av-namesake-{name}",
            2,
            Fault("start", copy),
            hosts=(replace(PATIENT[0], timing=Ticks(round_trip_us=TICK_US // 4)),) * 2,
            start="cold",
            copies=((copy, 1 - copy),),
            namesakes_hear=False,
            carries=frozenset({Announce, Probe, ProbeAck, Heartbeat}),
            late_ticks=2,
        )
        for name, copy in (("newer", 1), ("older", 0))
    ),
    scope("av-nothing-arrives", 4, hosts=PATIENT, start="cold", carries=frozenset()),
)

SCOPES = {each.name: each for each in (*_QUORUM, *_AVAILABILITY)}
