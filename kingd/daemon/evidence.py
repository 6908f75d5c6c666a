"""The evidence for a change in words and numbers; what one host told its users, for another one to show. docs/history.md."""

from collections.abc import Generator, Iterable, Sequence
from itertools import islice

from kingd.control.encoding import as_json, encoded_reply
from kingd.control.service import JsonObject
from kingd.core.effect import KINDS, Event, EventKind
from kingd.core.wire.message import Reason, Role
from kingd.core.wire.past import Evidence, Sign, Told
from kingd.daemon.clock import moment

SLICE = 16  # events that are made in one callback: half a millisecond
ANSWER_MAX = 1 << 20  # bytes, of what all hosts told
_HEAD_SIZE = 160  # at most, of what an answer says of one host beside its events
Part = tuple[str, str, Iterable[tuple[int, Told]] | None, bool]
"""Of one host: its id, its name, what it told and when, the newest first (None: it did not answer), and whether older ones are
not among them."""

ROLES = {
    Role.JOINING: "joining",
    Role.FOLLOWER: "follower",
    Role.SEEKING: "candidate",
    Role.CANDIDATE: "candidate",
    Role.LEADER: "leader",
}
_SIGNS = {
    Sign.RESIGNED: "it said so itself",
    Sign.OBITUARY: "its guardian says that it has died",
    Sign.NEW_SESSION: "its host answers under a new session",
    Sign.PORT_REFUSED: "its port is closed, says its host",
    Sign.FOLLOWS_ANOTHER: "it says that another leads",
}


def words(evidence: Evidence, kind: EventKind | None = None) -> str:
    """`last heard 512 ms ago, 5 heartbeats missed, 2 of 2 peers agree`; "" if there is nothing to show."""
    e = evidence
    found = [_sign(e)]
    if e.silent_us >= 0:
        found.append(f"last heard {span(e.silent_us)} ago")
    for count, one, many in (
        (e.heartbeats, "heartbeat missed", "heartbeats missed"),
        (e.announcements, "announcement missed", "announcements missed"),
        (e.unanswered, "question unanswered", "questions unanswered"),
    ):
        if count:
            found.append(f"{count} {one if count == 1 else many}")
    if e.of and e.sign is not Sign.NOT_RENEWED:
        found.append(f"{e.agreed} of {e.of} {'peer agrees' if e.of == 1 else 'peers agree'}")
    elif kind is EventKind.ELECTED:
        found.append("no peer is there to agree")
    if kind is EventKind.OVERLAP_RESOLVED and e.lasted_us >= 0:
        found.append(f"both led for {span(e.lasted_us)}")
    return ", ".join(filter(None, found))


def _sign(e: Evidence) -> str:
    lasted = span(max(e.lasted_us, 0))
    match e.sign:
        case Sign.NO_LINK:
            return f"no usable network for {lasted}"
        case Sign.NOT_RENEWED:
            return f"{e.agreed} of {e.of} voters were heard of late, and too few renewed their promises"
        case Sign.LONELY:
            return "nobody has shown that it hears this host, and another leads"
        case Sign.NOT_RUN:
            return f"the process did not run for {lasted}"
        case sign:
            return _SIGNS.get(sign, "")


def span(us: int) -> str:
    if us < 1_000_000:
        return f"{us // 1000} ms" if us >= 10_000 else f"{us / 1000:.1f} ms"
    seconds = us / 1e6
    return f"{seconds:.1f} s" if seconds < 60 else f"{int(seconds) // 60} min {int(seconds) % 60} s"


def view(evidence: Evidence, kind: EventKind | None, *, detail: str | None = None) -> JsonObject | None:
    """`detail`: what is known here only."""
    said = ", ".join(filter(None, (words(evidence, kind), detail)))
    if not said:
        return None
    e = evidence
    found: JsonObject = {"words": said}
    if e.sign is not Sign.NONE:
        found["sign"] = e.sign.word
    if e.silent_us >= 0:
        found["silent_ms"] = e.silent_us // 1000
    counts = {"heartbeats_missed": e.heartbeats, "announcements_missed": e.announcements, "unanswered": e.unanswered}
    found |= {name: count for name, count in counts.items() if count}
    if e.of:
        found |= {"agreed": e.agreed, "of": e.of}
    if e.lasted_us >= 0:
        found["lasted_ms"] = e.lasted_us // 1000
    return found


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
        "role": ROLES[Role(each.role)],
        "term": each.term,
        "seq": each.number,
        "leader": each.leader or None,
        "previous_leader": each.previous or None,
        "reason": Reason(each.reason).word,
        "evidence": view(each.evidence, kind),
    }
    if each.member:
        found["member"] = each.member
    return found | {"on": each.on == 2} if each.on else found
