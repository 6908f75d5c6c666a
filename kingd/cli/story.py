"""What all hosts told, as one story: in the order of time, what several saw told once. docs/history.md.

In: the answer to `Histories`. Its times are all by one clock, that of the host that was asked. Out: `Passage`s."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from kingd.cli.events import evidence, sentence
from kingd.cli.text import clock
from kingd.control.answer import flag, number, rows, text
from kingd.control.client import JsonObject

HEADER = ("TIME", "TERM", "SEEN BY", "WHAT", "WHY", "EVIDENCE")
SPARE = ("TERM", "SEEN BY")
_TOGETHER_MS = 2000.0  # hosts that see one change see it within that; else it is another one


@dataclass(slots=True)
class Passage:
    """One change, and who saw it: the first first, each with how much later it was."""

    event: JsonObject
    at_ms: float
    seen: dict[str, float] = field(default_factory=dict)


def told(answer: JsonObject) -> list[JsonObject]:
    """Every event with the `host` that told it, in the order of time."""
    found = [
        {"version": 1, "host": text(member, "name"), **event}
        for member in rows(answer, "members")
        for event in rows(member, "events")
    ]
    return sorted(found, key=lambda event: (text(event, "time"), text(event, "host"), number(event, "seq")))


def passages(events: Sequence[JsonObject]) -> list[Passage]:
    """What is said in the same words, of the same term, within two seconds, is one."""
    found: list[Passage] = []
    latest: dict[tuple[object, ...], Passage] = {}
    for event in events:
        at_ms, host = _ms(text(event, "time")), text(event, "host")
        same = (_who(event).partition(" (before")[0], number(event, "term"), event.get("reason"))
        passage = latest.get(same)
        if passage is None or host in passage.seen or at_ms - passage.at_ms > _TOGETHER_MS:
            passage = latest[same] = Passage(event, at_ms)
            found.append(passage)
        elif event.get("role") == "leader" or not evidence(passage.event):  # who was elected knows best why
            passage.event = event | {"time": passage.event["time"]}
        passage.seen[host] = at_ms - passage.at_ms
    return found


def row(passage: Passage) -> list[object]:
    event = passage.event
    return [
        clock(text(event, "time")),
        number(event, "term"),
        seen_by(passage),
        _who(event),
        event.get("reason"),
        evidence(event),
    ]


def seen_by(passage: Passage) -> str:
    """`box2, box3 +12 ms`"""
    return ", ".join(host if late < 1 else f"{host} +{late:.0f} ms" for host, late in passage.seen.items())


def silent(answer: JsonObject) -> list[str]:
    """Who did not answer."""
    return [text(member, "name") for member in rows(answer, "members") if not flag(member, "ok")]


def cut(answer: JsonObject) -> list[str]:
    """Whose oldest events are left out of the answer. (A daemon of an older version leaves none out.)"""
    return [text(member, "name") for member in rows(answer, "members") if member.get("more") is True]


def _who(event: JsonObject) -> str:
    """Not "this node": there are several."""
    if text(event, "event") in ("started", "stopping", "overlap-resolved"):
        return f"{text(event, 'host')}: {text(event, 'event')}"
    return sentence(event).replace(", this node", "")


def _ms(time: str) -> float:
    return datetime.fromisoformat(time).timestamp() * 1000
