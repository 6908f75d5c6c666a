"""The page, our codec and an independent encoder (tests/wire.py) agree on every byte. docs/protocol.md 3."""

from dataclasses import replace
from typing import Any

import pytest

from kingd.core.wire.codec import decode, encode
from kingd.core.wire.message import Body, Datagram
from kingd.core.wire.past import Told
from kingd.core.wire.seal import Seal, cluster_id
from tests import wire
from tests.unit.test_codec import BODIES, HEADER, IDS

SECRET = bytes(range(32))
SEALS = {"unsigned": (None, Seal()), "signed": (SECRET, Seal([SECRET], requires_key=True))}


def body_of(body: Body) -> Any:
    """The same message in the other encoder's words, field by field."""
    kind = getattr(wire, type(body).__name__)
    fields: dict[str, object] = {}
    for name in body.__slots__:
        fields |= _fields(name, getattr(body, name))
    return kind(**fields)


def _told(told: Told) -> wire.Told:
    e = told.evidence
    names = {name: getattr(told, name).encode() for name in ("leader", "previous", "member")}
    numbers = {name: getattr(told, name) for name in ("number", "age_ms", "term", "kind", "reason", "on")}
    counts = {name: getattr(e, name) for name in ("heartbeats", "announcements", "unanswered", "agreed")}
    spans = {
        f"{name}_ms": 0xFFFFFFFF if us < 0 else us // 1000
        for name, us in (("silent", e.silent_us), ("lasted", e.lasted_us))
    }
    return wire.Told(**names, **numbers, **counts, **spans, was=told.role, sign=e.sign, asked=e.of)


def _fields(name: str, value: Any) -> dict[str, object]:  # noqa: C901 - a table
    match name:
        case "name":
            return {"host": value.encode()}
        case "version":
            return {"software": value.encode()}
        case "leader_name":
            return {"leader": value.encode()}
        case "tags":
            return {"tags": [wire.Tag(key=key.encode(), value=text.encode()) for key, text in value]}
        case "entries":
            entries = [wire.Entry(node=e.node, session=e.session, port=e.port, host=e.host.encode()) for e in value]
            return {"entries": entries}
        case "silent":
            return {"silent": [wire.Node(node=node) for node in value]}
        case "host":
            return {"host": value.encode()}
        case "counts":
            return {"counts": [wire.Count(way=c.way, got=c.got, sent=c.sent) for c in value]}
        case "told":
            return {"events": [_told(each) for each in value]}
        case "ballot" | "holder":
            return {f"{name}_term": value.term, f"{name}_node": value.node}
        case "ticket" if value is None:
            return {}
        case "ticket":
            return {
                "ticketed": 1,
                "ticket_term": value.ballot.term,
                "ticket_node": value.ballot.node,
                "ticket_session": value.session,
                "successor": value.successor,
                "successor_session": value.successor_session,
            }
        case _:
            return {name: int(value)}


def header_of() -> Any:
    return wire.Kingd(
        cluster=HEADER.cluster,
        source=HEADER.source,
        destination=HEADER.destination,
        session=HEADER.session,
        receiver=HEADER.receiver,
        sequence=HEADER.sequence,
        leader_term=HEADER.leader.term,
        leader_node=HEADER.leader.node,
        floor_term=HEADER.floor.term,
        floor_node=HEADER.floor.node,
        priority=HEADER.priority,
        list_number=HEADER.voters.generation.number,
        list_term=HEADER.voters.generation.term,
        voters=HEADER.voters.digest,
        wanted=HEADER.wanted,
        role=HEADER.role,
        mode=3,
    )


@pytest.mark.parametrize("sealed", SEALS)
@pytest.mark.parametrize("body", BODIES, ids=IDS)
def test_both_encoders_write_the_same_bytes(body: Body, sealed: str) -> None:
    secret, seal = SEALS[sealed]
    data = wire.finish(header_of() / body_of(body), secret=secret)
    assert data.hex() == encode(Datagram(HEADER, body), seal).hex()
    header = replace(HEADER, key_id=seal.key_id)
    assert decode(data, cluster=HEADER.cluster, seal=seal) == Datagram(header, body)


@pytest.mark.parametrize("body", BODIES, ids=IDS)
def test_the_other_one_reads_what_ours_writes(body: Body) -> None:
    packet = wire.Kingd(encode(Datagram(HEADER, body), Seal()))
    assert type(packet.payload).__name__ == type(body).__name__
    for field in packet.payload.fields_desc:  # taken apart and put together again, field by field
        packet.payload.setfieldval(field.name, packet.payload.getfieldval(field.name))
    written = bytes(body_of(body))
    assert bytes(packet.payload)[: len(written)] == written


def test_every_type_of_the_page_is_there() -> None:
    assert {type(body).__name__ for body in BODIES} == {kind.__name__ for kind in wire.BODIES.values()}
    assert wire.cluster_id("lab") == cluster_id("lab")
