"""A datagram that the codec has read, in the words of kingd/core/wire/layout.py: what the scapy layer and the dissector are
held to. Written from the messages, and from docs/protocol.md 3, without a look into that table."""

from typing import Any

from kingd.core.wire.message import Ballot, Datagram, Header, Reason, Ticket
from kingd.core.wire.past import Told
from kingd.core.wire.trial import Way


def header_of(header: Header) -> dict[str, Any]:
    """But for what the codec does not keep: magic, version, type and length."""
    return {
        "flags": ["multicast"] * header.multicast,
        "cluster": _id(header.cluster),
        "source": _id(header.source),
        "destination": _id(header.destination),
        "session": _id(header.session),
        "receiver": _id(header.receiver),
        "sequence": header.sequence,
        **_ballot("leader", header.leader),
        **_ballot("floor", header.floor),
        "priority": header.priority,
        "list_number": header.voters.generation.number,
        "list_term": header.voters.generation.term,
        "voters": f"{header.voters.digest:08x}",
        "wanted": f"{header.wanted:08x}",
        "role": header.role.name.lower(),
        "mode": ["eligible"] * header.eligible
        + ["recovering"] * header.recovering
        + ["begun"] * header.begun
        + ["by_list"] * header.by_list,
        "ineligible": header.ineligible.word,
        "key": header.key_id,
    }


def body_of(datagram: Datagram) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in datagram.body.__slots__:
        found |= _field(type(datagram.body).__name__, name, getattr(datagram.body, name))
    return found


_IDS = {"run", "token", "about", "session", "successor", "successor_session", "holder_session"}


def _field(kind: str, name: str, value: Any) -> dict[str, Any]:  # noqa: C901 - a table
    match name:
        case "name":
            return {"node_name": value}
        case "version":
            return {"software": value}
        case "ballot" | "holder":
            return _ballot(name, value)
        case "tags":
            return {"tags_count": len(value), "tags": [{"key": key, "value": text} for key, text in value]}
        case "silent":
            return {"silent_count": len(value), "silent": [{"node": _id(node)} for node in value]}
        case "ticket":
            return {"ticketed": value is not None, "ticket": [_ticket(value)] if value is not None else []}
        case "entries":
            shown = [{"node": _id(e.node), "session": _id(e.session), "port": e.port, "host": e.host} for e in value]
            return {"entries_count": len(value), "entries": shown}
        case "counts":
            shown = [{"way": count.way.word, "got": count.got, "sent": count.sent} for count in value]
            return {"counts_count": len(value), "counts": shown}
        case "told":
            return {"events_count": len(value), "events": [_told(each) for each in value]}
        case "nonce" | "echo" if kind not in ("Ping", "Pong"):
            return {name: _id(value)}
        case _ if name in _IDS:
            return {name: _id(value)}
        case _:
            return {name: value.word if isinstance(value, Reason | Way) else value}


def _ballot(name: str, ballot: Ballot) -> dict[str, Any]:
    return {f"{name}_term": ballot.term, f"{name}_node": _id(ballot.node)}


def _ticket(ticket: Ticket) -> dict[str, Any]:
    fields = ("session", "successor", "successor_session")
    return _ballot("ballot", ticket.ballot) | {name: _id(getattr(ticket, name)) for name in fields}


def _told(told: Told) -> dict[str, Any]:
    e = told.evidence
    return {
        **{
            name: getattr(told, name)
            for name in ("number", "age_ms", "term", "kind", "on", "leader", "previous", "member")
        },
        **{name: getattr(e, name) for name in ("heartbeats", "announcements", "unanswered", "agreed")},
        "reason": Reason(told.reason).word,
        "was": told.role,
        "sign": e.sign,
        "asked": e.of,
        "silent_ms": _ms(e.silent_us),
        "lasted_ms": _ms(e.lasted_us),
    }


def _ms(us: int) -> int:
    return (1 << 32) - 1 if us < 0 else us // 1000


def _id(value: int) -> str:
    return f"{value:016x}"
