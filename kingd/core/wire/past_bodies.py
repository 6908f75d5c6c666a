"""RECALL and EVENTS to bytes and back: what a node told its users. docs/history.md.

One event has at most 236 bytes, so that an answer holds at least four."""

from kingd.core.wire import layout
from kingd.core.wire.grammar import NAME
from kingd.core.wire.message import Reason
from kingd.core.wire.past import Events, Evidence, Recall, Sign, Told
from kingd.core.wire.reader import DecodeError, Reader, text_of

_RECALL = layout.BODIES[20].numbers
_EVENTS = layout.BODIES[21].numbers
_TOLD = layout.numbers(layout.TOLD)
_NEVER_MS = (1 << 32) - 1  # not said
_SIGNS = tuple(Sign)
ROOM = 1232 - layout.HEADER_SIZE - 32 - _EVENTS.size
"""Bytes for events, in a datagram that is signed."""


def pack_recall(m: Recall) -> bytes:
    return _RECALL.pack(m.nonce, m.before)


def pull_recall(r: Reader) -> Recall:
    nonce, before = r.take(_RECALL)
    return Recall(nonce=nonce, before=before)


def pack_events(m: Events) -> bytes:
    assert len(m.told) <= layout.TOLD_MAX
    return _EVENTS.pack(m.echo, len(m.told)) + b"".join(map(_pack_told, m.told))


def pull_events(r: Reader) -> Events:
    echo, count = r.take(_EVENTS)
    if count > layout.TOLD_MAX:
        raise DecodeError("count")
    return Events(echo=echo, told=tuple(_pull_told(r) for _ in range(count)))


def _pack_told(told: Told) -> bytes:
    e = told.evidence
    head = (told.number, told.age_ms, told.term, told.kind, told.reason, told.role, told.on)
    counts = (_u16(each) for each in (e.heartbeats, e.announcements, e.unanswered, e.agreed, e.of))
    numbers = _TOLD.pack(*head, e.sign, _ms(e.silent_us), *counts, _ms(e.lasted_us))
    return numbers + b"".join(map(text_of, (told.leader, told.previous, told.member)))


def size_of(told: Told) -> int:
    """In bytes."""
    return len(_pack_told(told))


def _pull_told(r: Reader) -> Told:
    number, age_ms, term, kind, reason, role, on, sign, silent_ms, *counts, lasted_ms = r.take(_TOLD)
    if reason >= len(Reason):
        raise DecodeError("reason")
    heartbeats, announcements, unanswered, agreed, of = counts
    evidence = Evidence(
        sign=_SIGNS[sign] if sign < len(_SIGNS) else Sign.NONE,
        silent_us=_us(silent_ms),
        heartbeats=heartbeats,
        announcements=announcements,
        unanswered=unanswered,
        agreed=agreed,
        of=of,
        lasted_us=_us(lasted_ms),
    )
    leader, previous, member = (r.text(_is_name_or_none) for _ in range(3))
    return Told(
        number=number,
        age_ms=age_ms,
        term=term,
        kind=kind,
        reason=reason,
        role=role,
        on=on,
        evidence=evidence,
        leader=leader,
        previous=previous,
        member=member,
    )


def _is_name_or_none(text: str) -> bool:
    return not text or NAME.fullmatch(text) is not None


def _ms(value_us: int) -> int:
    return _NEVER_MS if value_us < 0 else min(value_us // 1000, _NEVER_MS - 1)


def _us(value_ms: int) -> int:
    return -1 if value_ms == _NEVER_MS else value_ms * 1000


def _u16(value: int) -> int:
    return min(value, 0xFFFF)
