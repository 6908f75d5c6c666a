"""The evidence for a change, in words and in numbers. docs/history.md."""

from kingd.control.service import JsonObject
from kingd.core.effect import EventKind
from kingd.core.wire.past import Evidence, Sign

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
