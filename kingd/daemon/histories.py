"""What one host told its users, for another one to show; and what all of them told, as one answer. docs/history.md."""

from collections.abc import Generator, Iterable, Sequence
from itertools import islice

from kingd.control.encoding import as_json, encoded_reply
from kingd.control.service import JsonObject
from kingd.core.effect import KINDS, Event
from kingd.core.wire.message import Reason, Role
from kingd.core.wire.past import Told
from kingd.daemon import evidence, views
from kingd.daemon.clock import moment

SLICE = 16  # events that are made in one callback: half a millisecond
ANSWER_MAX = 1 << 20  # bytes, of what all hosts told
_HEAD_SIZE = 160  # at most, of what an answer says of one host beside its events
Part = tuple[str, str, Iterable[tuple[int, Told]] | None, bool]
"""Of one host: its id, its name, what it told and when, the newest first (None: it did not answer), and whether older ones are
not among them."""


def told(event: Event, *, number: int, now_us: int) -> Told:
    """For another host."""
    leader, previous, member = (
        each.name if each else "" for each in (event.leader, event.previous_leader, event.member)
    )
    return Told(
        number=number,
        age_ms=max(now_us - event.at_us, 0) // 1000,
        term=event.term,
        kind=KINDS.index(event.kind),
        reason=event.reason,
        role=event.role,
        on=0 if event.on is None else 1 + event.on,
        evidence=event.evidence,
        leader=leader,
        previous=previous,
        member=member,
    )


def gathered(parts: Sequence[Part], *, now_us: int, wall_s: float) -> Generator[None, None, bytes]:
    """The encoded reply to `Histories`, for all who ask. It stops after each `SLICE` events, for the election to have its turn.

    Each host has an equal part of what is left of `ANSWER_MAX`, for the newest of its events; told are the oldest first."""
    found: list[bytes] = []
    room = ANSWER_MAX - _HEAD_SIZE
    for at, (node, name, told, has_more) in enumerate(parts):
        events, left = list[bytes](), room // (len(parts) - at) - _HEAD_SIZE
        past = iter(told or ())
        is_full = False
        while not is_full and (some := list(islice(past, SLICE))):
            for event in _past(some, now_us=now_us, wall_s=wall_s):
                left -= len(event) + 1
                if is_full := left < 0:
                    break
                events.append(event)
            yield
        head = as_json({"id": node, "name": name, "ok": told is not None, "more": has_more or is_full})
        member = head[:-1] + b',"events":[' + b",".join(reversed(events)) + b"]}"
        found.append(b"," + member if found else member)
        room -= len(found[-1])
    return encoded_reply((b'{"version":1,"members":[', *found, b"]}"))


def _past(some: Iterable[tuple[int, Told]], *, now_us: int, wall_s: float) -> Iterable[bytes]:
    """Kinds of a later version are left out."""
    for at_us, each in some:
        if each.kind < len(KINDS) and each.role < len(Role):
            yield as_json(_event(each, at_s=wall_s - (now_us - at_us) / 1e6))


def _event(each: Told, *, at_s: float) -> JsonObject:
    kind = KINDS[each.kind]
    found: JsonObject = {
        "event": str(kind),
        "time": moment(at_s),
        "role": views.ROLES[Role(each.role)],
        "term": each.term,
        "seq": each.number,
        "leader": each.leader or None,
        "previous_leader": each.previous or None,
        "reason": Reason(each.reason).word,
        "evidence": evidence.view(each.evidence, kind),
    }
    if each.member:
        found["member"] = each.member
    return found | {"on": each.on == 2} if each.on else found
