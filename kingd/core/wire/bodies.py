"""What follows the header: each kind of message to bytes and back, in pairs. What stands where is in layout.py.

`pack` gives the type's number and the bytes; `PULL` says by number how to read them. Running off the end of a body, a
number out of range or a text that is none is a `DecodeError`."""

import struct
from collections.abc import Callable

from kingd.core.wire import layout, past_bodies, trial_bodies
from kingd.core.wire.grammar import ADDRESS, NAME, TAG_NAME, VERSION, is_tag
from kingd.core.wire.message import (
    SILENT_MAX,
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
    Roster,
    RosterEntry,
    SessionId,
    Survey,
    Term,
    Ticket,
)
from kingd.core.wire.past import Events, Recall
from kingd.core.wire.reader import DecodeError, Reader, text_of
from kingd.core.wire.trial import Echo, Trial

_U64 = struct.Struct("!Q")
_ANNOUNCE = layout.BODIES[1].numbers
_HEARTBEAT = layout.BODIES[2].numbers
_PROBE_ACK = layout.BODIES[4].numbers
_CLAIM = layout.BODIES[5].numbers
_TICKET = layout.numbers(layout.TICKET)
_GRANT = layout.BODIES[6].numbers
_REFUSE = layout.BODIES[7].numbers
_RESIGN = layout.BODIES[8].numbers
_PING = layout.BODIES[9].numbers
_PONG = layout.BODIES[10].numbers
_OFFER = layout.BODIES[11].numbers
_READY = layout.BODIES[12].numbers
_ROSTER = layout.BODIES[16].numbers
_ROSTER_ENTRY = layout.numbers(layout.ROSTER_ENTRY)


def _ballot(term: int, node: int) -> Ballot:
    return Ballot(Term(term), NodeId(node))


def _reason(value: int) -> Reason:
    try:
        return Reason(value)
    except ValueError:
        raise DecodeError("reason") from None


def _lease(value_ms: int, most_ms: int = layout.LEASE_MS_MAX) -> int:
    if value_ms > most_ms:
        raise DecodeError("lease")  # a voter would be bound to it for as long
    return value_ms


def _pack_announce(m: Announce) -> bytes:
    tags = b"".join(text_of(key) + text_of(value) for key, value in m.tags)
    return _ANNOUNCE.pack(m.interval_ms, len(m.tags)) + text_of(m.name) + text_of(m.version) + tags


def _pull_announce(r: Reader) -> Announce:
    interval_ms, count = r.take(_ANNOUNCE)
    if count > layout.TAGS_MAX:
        raise DecodeError("count")
    name, version = r.text(NAME.fullmatch), r.text(VERSION.fullmatch)
    tags = tuple((r.text(TAG_NAME.fullmatch), r.text(is_tag)) for _ in range(count))
    return Announce(name=name, version=version, interval_ms=interval_ms, tags=tags)


def _pull_heartbeat(r: Reader) -> Heartbeat:
    interval_ms, lonely, alive, lease_ms = r.take(_HEARTBEAT)
    return Heartbeat(interval_ms=interval_ms, lonely=bool(lonely), alive=alive, lease_ms=_lease(lease_ms))


def _pull_probe_ack(r: Reader) -> ProbeAck:
    echo, nonce, returns, hold_ms = r.take(_PROBE_ACK)
    name, version = r.text(NAME.fullmatch), r.text(VERSION.fullmatch)
    hold_ms = _lease(hold_ms, layout.HOLD_MS_MAX)
    return ProbeAck(echo=echo, nonce=nonce, returns=returns, hold_ms=hold_ms, name=name, version=version)


def _pack_claim(m: Claim) -> bytes:
    head = _CLAIM.pack(m.term, m.attempt, m.pre_vote, m.reason, m.lease_ms, m.ticket is not None)
    if m.ticket is None:
        return head
    t = m.ticket
    return head + _TICKET.pack(*t.ballot, t.session, t.successor, t.successor_session)


def _pull_claim(r: Reader) -> Claim:
    term, attempt, pre_vote, reason, lease_ms, ticketed = r.take(_CLAIM)
    return Claim(
        term=Term(term),
        attempt=attempt,
        pre_vote=bool(pre_vote),
        reason=_reason(reason),
        ticket=_pull_ticket(r) if ticketed else None,
        lease_ms=_lease(lease_ms),
    )


def _pull_ticket(r: Reader) -> Ticket:
    term, node, session, successor, successor_session = r.take(_TICKET)
    return Ticket(
        ballot=_ballot(term, node),
        session=SessionId(session),
        successor=NodeId(successor),
        successor_session=SessionId(successor_session),
    )


def _pull_grant(r: Reader) -> Grant:
    term, attempt, pre_vote = r.take(_GRANT)
    return Grant(term=Term(term), attempt=attempt, pre_vote=bool(pre_vote))


def _pull_refuse(r: Reader) -> Refuse:
    term, attempt, pre_vote, holder_term, holder, session, led, remaining_ms = r.take(_REFUSE)
    return Refuse(
        term=Term(term),
        attempt=attempt,
        pre_vote=bool(pre_vote),
        holder=_ballot(holder_term, holder),
        holder_session=SessionId(session),
        led=bool(led),
        remaining_ms=remaining_ms,
    )


def _pull_resign(r: Reader) -> Resign:
    term, node, successor, session, reason, leaving = r.take(_RESIGN)
    return Resign(
        ballot=_ballot(term, node),
        successor=NodeId(successor),
        successor_session=SessionId(session),
        reason=_reason(reason),
        leaving=bool(leaving),
    )


def _pull_ping(r: Reader) -> Ping:
    nonce, heard, polling = r.take(_PING)
    return Ping(nonce=nonce, heard=heard, polling=bool(polling))


def _pull_pong(r: Reader) -> Pong:
    echo, lease_ms = r.take(_PONG)
    return Pong(echo=echo, lease_ms=_lease(lease_ms))


def _pull_offer(r: Reader) -> Offer:
    term, node, reason, keep_ms = r.take(_OFFER)
    return Offer(ballot=_ballot(term, node), reason=_reason(reason), keep_ms=keep_ms)


def _pack_ready(m: Ready) -> bytes:
    assert len(m.silent) <= SILENT_MAX
    return _READY.pack(*m.ballot, m.reason, len(m.silent)) + b"".join(map(_U64.pack, m.silent))


def _pull_ready(r: Reader) -> Ready:
    term, node, reason, count = r.take(_READY)
    if count > SILENT_MAX:
        raise DecodeError("count")
    silent = tuple(NodeId(r.number(_U64)) for _ in range(count))
    return Ready(ballot=_ballot(term, node), reason=_reason(reason), silent=silent)


def _pull_report(r: Reader) -> Report:
    return Report(echo=r.number(_U64), name=r.text(NAME.fullmatch), leader_name=r.text(_is_name_or_none))


def _is_name_or_none(text: str) -> bool:
    return not text or NAME.fullmatch(text) is not None


def _pack_roster(m: Roster) -> bytes:
    assert len(m.entries) <= layout.ROSTER_ENTRIES_MAX
    entries = b"".join(_ROSTER_ENTRY.pack(e.node, e.session, e.port) + text_of(e.host) for e in m.entries)
    return _ROSTER.pack(m.alive, len(m.entries)) + entries


def _pull_roster(r: Reader) -> Roster:
    alive, count = r.take(_ROSTER)
    if count > layout.ROSTER_ENTRIES_MAX:
        raise DecodeError("count")
    return Roster(entries=tuple(_pull_roster_entry(r) for _ in range(count)), alive=alive)


def _pull_roster_entry(r: Reader) -> RosterEntry:
    node, session, port = r.take(_ROSTER_ENTRY)
    return RosterEntry(node=NodeId(node), session=SessionId(session), port=port, host=r.text(ADDRESS.fullmatch))


# Type on the wire -> how to read it. The numbers are the protocol's (docs/protocol.md 3.2).
PULL: dict[int, Callable[[Reader], Body]] = {
    1: _pull_announce,
    2: _pull_heartbeat,
    3: lambda r: Probe(nonce=r.number(_U64)),
    4: _pull_probe_ack,
    5: _pull_claim,
    6: _pull_grant,
    7: _pull_refuse,
    8: _pull_resign,
    9: _pull_ping,
    10: _pull_pong,
    11: _pull_offer,
    12: _pull_ready,
    13: lambda r: Survey(nonce=r.number(_U64)),
    14: _pull_report,
    15: lambda _: Obituary(),
    16: _pull_roster,
    17: lambda r: Ack(sequence=r.number(_U64)),
    18: trial_bodies.pull_trial,
    19: trial_bodies.pull_echo,
    20: past_bodies.pull_recall,
    21: past_bodies.pull_events,
}


def pack(body: Body) -> tuple[int, bytes]:  # noqa: C901 - a table that mypy checks for a forgotten kind
    match body:
        case Announce():
            return 1, _pack_announce(body)
        case Heartbeat(interval_ms=interval_ms, lonely=lonely, alive=alive, lease_ms=lease_ms):
            return 2, _HEARTBEAT.pack(interval_ms, lonely, alive, lease_ms)
        case Probe(nonce=nonce):
            return 3, _U64.pack(nonce)
        case ProbeAck() as m:
            return 4, _PROBE_ACK.pack(m.echo, m.nonce, m.returns, m.hold_ms) + text_of(m.name) + text_of(m.version)
        case Claim():
            return 5, _pack_claim(body)
        case Grant(term=term, attempt=attempt, pre_vote=pre_vote):
            return 6, _GRANT.pack(term, attempt, pre_vote)
        case Refuse() as m:
            head = (m.term, m.attempt, m.pre_vote, *m.holder)
            return 7, _REFUSE.pack(*head, m.holder_session, m.led, m.remaining_ms)
        case Resign() as m:
            return 8, _RESIGN.pack(*m.ballot, m.successor, m.successor_session, m.reason, m.leaving)
        case Ping(nonce=nonce, heard=heard, polling=polling):
            return 9, _PING.pack(nonce, heard, polling)
        case Pong(echo=echo, lease_ms=lease_ms):
            return 10, _PONG.pack(echo, lease_ms)
        case Offer(ballot=ballot, reason=reason, keep_ms=keep_ms):
            return 11, _OFFER.pack(*ballot, reason, keep_ms)
        case Ready():
            return 12, _pack_ready(body)
        case Survey(nonce=nonce):
            return 13, _U64.pack(nonce)
        case Report(echo=echo, name=name, leader_name=leader_name):
            return 14, _U64.pack(echo) + text_of(name) + text_of(leader_name)
        case Obituary():
            return 15, b""
        case Roster():
            return 16, _pack_roster(body)
        case Ack(sequence=sequence):
            return 17, _U64.pack(sequence)
        case Trial():
            return 18, trial_bodies.pack_trial(body)
        case Echo():
            return 19, trial_bodies.pack_echo(body)
        case Recall():
            return 20, past_bodies.pack_recall(body)
        case Events():
            return 21, past_bodies.pack_events(body)
