"""`python -m tests.unit.roles_page` writes docs/roles.md: what becomes of each message in each role, as the core does it.

Each cell is a run: a node that has come into the role, a member that outranks it, and one message of this member."""

from collections.abc import Callable
from pathlib import Path
from typing import get_args

from kingd.core.effect import Effect, Multicast, Persist, Send, Will
from kingd.core.state.roles import CHANGES
from kingd.core.wire.aside import Aside
from kingd.core.wire.message import (
    Ack,
    Announce,
    Ballot,
    Body,
    Claim,
    Grant,
    Heartbeat,
    NodeId,
    Obituary,
    Offer,
    Ping,
    Pong,
    Probe,
    ProbeAck,
    Ready,
    Reason,
    Refuse,
    Report,
    Resign,
    Role,
    Roster,
    RosterEntry,
    SessionId,
    Survey,
    Term,
)
from tests.unit.scripted import ME, MY_SESSION, Bench, Peer

PAGE = Path(__file__).parents[2] / "docs" / "roles.md"

HEAD = """# Roles

A role is an object (`kingd/core/state/roles.py`): it holds what a node knows only in that role, and is exchanged when the role
changes. Written by `python -m tests.unit.roles_page` from what the core does; do not edit.

## From which role to which

Any other change is a defect, and fails an assertion in `Node.become`. A leader that raises its term stays the same object.

"""

MESSAGES_HEAD = """
## What a message comes to

One message of a member that outranks this node, in availability mode: what this node sends then, and what it becomes. That
member is the leader of a follower; in the other roles it leads nobody, but where it says Heartbeat: then it leads in the newest
term. There is one other member, which this node outranks. A resignation is that of the leader, or of the newest term. "-":
nothing is sent and the role stays (what was said of the sender is noted all the same); a word in quotes: it is dropped, and
counted by that reason.

"""


def in_role(role: Role) -> tuple[Bench, Peer]:
    bench, better, other = Bench(priority=100), Peer(node=60, priority=200), Peer(node=70, priority=50)
    match role:
        case Role.JOINING:
            bench.meet(better, other)
        case Role.FOLLOWER:
            bench.meet(other, better.leads(5))
            bench.beat(better)
        case Role.SEEKING:
            bench.meet(better, other)
            bench.advance_ms(550)
        case Role.CANDIDATE:
            bench.meet(better)
            bench.become_candidate(other)
        case Role.LEADER:
            bench.meet(better)
            claim = bench.become_candidate(other)
            for peer in (better, other):
                bench.hear(peer, Grant(term=claim.term, attempt=claim.attempt))
    assert bench.role() is role, (role, bench.role())
    bench.clear()
    return bench, better


def _claim_of(bench: Bench) -> tuple[Term, int]:
    campaign = bench.node.campaign
    return (campaign.claim.term, campaign.claim.attempt) if campaign else (Term(1), 1)


def _heartbeat(bench: Bench, peer: Peer) -> Body:
    peer.leads(max(5, bench.node.term_seen + 1) if bench.role() is not Role.FOLLOWER else 5)
    return Heartbeat(interval_ms=100, lonely=False, alive=3, lease_ms=0)


def _grant(bench: Bench, _: Peer) -> Body:
    term, attempt = _claim_of(bench)
    return Grant(term=term, attempt=attempt)


def _refuse(bench: Bench, peer: Peer) -> Body:
    term, attempt = _claim_of(bench)
    holder = Ballot(term, NodeId(peer.node))
    return Refuse(
        term=term,
        attempt=attempt,
        pre_vote=False,
        holder=holder,
        holder_session=SessionId(peer.session),
        led=False,
        remaining_ms=100,
    )


def _resign(bench: Bench, peer: Peer) -> Body:
    """In favour of nobody."""
    return Resign(
        ballot=peer.leader if peer.leader.term else Ballot(bench.node.term_seen, NodeId(peer.node)),
        successor=NodeId(0),
        successor_session=SessionId(0),
        reason=Reason.STEP_DOWN,
        leaving=False,
    )


def _ticket(bench: Bench, peer: Peer) -> Body:
    return Resign(
        ballot=peer.leader if peer.leader.term else Ballot(bench.node.term_seen, NodeId(peer.node)),
        successor=ME,
        successor_session=MY_SESSION,
        reason=Reason.STEP_DOWN,
        leaving=False,
    )


def _ballot(bench: Bench, peer: Peer) -> Ballot:
    return bench.node.leader if bench.node.leader.term else Ballot(Term(1), NodeId(peer.node))


MESSAGES: dict[str, Callable[[Bench, Peer], Body]] = {
    "Announce": lambda _, peer: Announce(name=peer.name, version="0", interval_ms=1000),
    "Heartbeat": _heartbeat,
    "Probe": lambda *_: Probe(nonce=1),
    "ProbeAck (unasked)": lambda _, peer: ProbeAck(echo=1, name=peer.name, version="0", returns=0),
    "Claim": lambda *_: Claim(term=Term(100), attempt=9),
    "Claim, a pre-vote": lambda *_: Claim(term=Term(100), attempt=9, pre_vote=True),
    "Grant": _grant,
    "Refuse (a better candidate)": _refuse,
    "Resign": _resign,
    "Resign, a ticket": _ticket,
    "Ping": lambda *_: Ping(nonce=1, heard=0, polling=False),
    "Pong (unasked)": lambda *_: Pong(echo=1),
    "Ack": lambda bench, _: Ack(sequence=bench.node.out.sequence),
    "Offer": lambda bench, peer: Offer(ballot=_ballot(bench, peer), reason=Reason.STEP_DOWN),
    "Ready": lambda bench, peer: Ready(ballot=_ballot(bench, peer), reason=Reason.HIGHER_PRIORITY),
    "Survey": lambda *_: Survey(nonce=1),
    "Report (unasked)": lambda _, peer: Report(echo=1, name=peer.name, leader_name=""),
    "Roster": lambda *_: Roster(
        entries=(RosterEntry(node=NodeId(80), session=SessionId(8000), host="10.0.0.80", port=5466),), alive=4
    ),
    "Obituary": lambda *_: Obituary(),
}


def _is_by_group(body: Body) -> bool:
    return isinstance(body, Announce | Heartbeat)


def cell(name: str, role: Role) -> str:
    bench, peer = in_role(role)
    dropped = dict(bench.node.out.dropped)
    body = MESSAGES[name](bench, peer)
    effects = bench.hear(peer, body, multicast=_is_by_group(body))
    after = bench.role()
    words = [*dict.fromkeys(_word(effect) for effect in effects if isinstance(effect, Send | Multicast))]
    words += [f'"{reason}"' for reason, count in bench.node.out.dropped.items() if count > dropped.get(reason, 0)]
    if after is not role:
        words.append(f"becomes {after.name.lower()}")
    return ", ".join(words) or "-"


def _word(effect: Effect) -> str:
    assert not isinstance(effect, Persist | Will)
    assert isinstance(effect, Send | Multicast)
    body = effect.datagram.body
    return f"{type(body).__name__}{', a pre-vote' if isinstance(body, Claim) and body.pre_vote else ''}"


def page() -> str:
    roles = [role.role for role in CHANGES]
    changes = "| from | to |\n|---|---|\n" + "".join(
        f"| {of.role.name.lower()} | {', '.join(to.role.name.lower() for to in then)} |\n"
        for of, then in CHANGES.items()
    )
    head = f"| message | {' | '.join(role.name.lower() for role in roles)} |\n|---|{'---|' * len(roles)}\n"
    rows = "".join(f"| {name} | {' | '.join(cell(name, role) for role in roles)} |\n" for name in MESSAGES)
    return HEAD + changes + MESSAGES_HEAD + head + rows


def kinds() -> set[str]:
    """All messages of the election: the others are no business of the core's."""
    return {kind.__name__ for kind in set(get_args(Body)) - set(get_args(Aside))}


if __name__ == "__main__":
    PAGE.write_text(page())
