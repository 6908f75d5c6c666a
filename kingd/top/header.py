"""The head of the screen: the cluster, who leads and how long that is good for, this node, and what is wrong."""

from datetime import UTC, datetime

from rich.text import Text

from kingd.cli.leader import ineligible_words, unknown
from kingd.cli.quorum import state_words
from kingd.cli.reading import verdict
from kingd.cli.text import age, clean, clock
from kingd.control.answer import flag, number, number_or_none, rows, section, section_or_none, text, texts
from kingd.control.client import JsonObject
from kingd.top.cells import Glyphs, joined, told, width_of, wrapped
from kingd.top.model import Instant, Model

_BAR_CELLS = 10
_ALIGNED_MAX = 400  # cells; wider than any window: a file, where nothing is at the right


def header(model: Model, now: Instant, *, is_paused: bool, width: int, lines_max: int, glyphs: Glyphs) -> list[Text]:
    """At most `lines_max` lines, the most important first."""
    status = model.status
    if status is None:
        return [Text("kingd top")]
    lines = [_title(status, now, is_paused=is_paused, width=width)]
    lines += [*_silence(model, now, width, glyphs), *_leader(status, now, width, glyphs), _here(model, now, glyphs)]
    node, known = section(status, "node"), status.get("leader") is not None
    if not flag(node, "eligible"):
        lines.append(_fact("", f"may not lead: {ineligible_words(node)}", "yellow"))
    if known and texts(section(status, "quorum"), "voters"):  # else the leader's line says it
        lines.append(_fact("quorum", state_words(section(status, "quorum"), is_leader_known=True)))
    if model.survey is not None and model.surveyed_at is not None:
        agree = flag(model.survey, "agree")
        words = f"{age(1000 * (now.s - model.surveyed_at.s))} ago: {verdict(rows(model.survey, 'nodes'), agree=agree)}"
        lines += _sentences("survey", words, "" if agree else "bold red", width, glyphs)
    for problem in _problems(status):
        lines += _sentences("problem", problem, "yellow", width, glyphs)
    if len(lines) <= lines_max:
        return lines
    return [*lines[: lines_max - 1], Text(f"{glyphs.more} there is more to say: kingctl status", "yellow")]


def moment(wall_s: float) -> str:
    return datetime.fromtimestamp(wall_s, UTC).strftime("%H:%M:%SZ")


def _title(status: JsonObject, now: Instant, *, is_paused: bool, width: int) -> Text:
    counts = section(status, "members")
    dead = number(counts, "dead")
    left = joined(
        [
            told(status.get("cluster"), "bold"),
            told(f"{text(status, 'mode')} mode"),
            Text(f"{number(counts, 'alive')} alive"),
            Text(f"{dead} dead", "bold red") if dead else Text(),
        ]
    )
    right = Text(f"PAUSED at {moment(now.wall_s)}, p goes on", "reverse") if is_paused else Text(moment(now.wall_s))
    gap = width - width_of(left) - width_of(right) if width <= _ALIGNED_MAX else 0
    return left.append(" " * max(2, gap)).append_text(right)


def _silence(model: Model, now: Instant, width: int, glyphs: Glyphs) -> list[Text]:
    silent_s = model.silent_s(now)
    if silent_s is None or model.answered_at is None:
        return []
    why = model.failure or "kingd does not answer; is it stopped, or the machine overloaded?"
    words = f"no answer since {moment(model.answered_at.wall_s)} ({age(silent_s * 1000)}); what follows was true then: {why}"
    return [Text(line, "reverse") for line in wrapped(clean(words), width, 3, glyphs)]


def _leader(status: JsonObject, now: Instant, width: int, glyphs: Glyphs) -> list[Text]:
    known = section_or_none(status, "leader")
    if known is None:
        return _sentences("leader", unknown(status)[1], "bold yellow", width, glyphs)
    since = clock(str(status.get("since") or "-")).partition(".")[0]
    today = datetime.fromtimestamp(now.wall_s, UTC).strftime("%Y-%m-%d ")
    parts = [
        _fact("leader", text(known, "name"), "bold green"),
        told(known.get("address")),
        Text(f"term {number(status, 'term')}"),
        told(f"since {since.removeprefix(today)}Z ({status.get('reason')})"),
    ]
    return [joined(parts)]


def _here(model: Model, now: Instant, glyphs: Glyphs) -> Text:
    status = model.status or {}
    node = section(status, "node")
    parts = [
        _fact("here", text(node, "name"), "bold"),
        told(node.get("role")),
        Text(f"priority {number(node, 'priority')}"),
    ]
    valid_ms = number_or_none(status, "valid_ms")
    if valid_ms is not None and model.silent_s(now) is None:
        full = round(_BAR_CELLS * valid_ms / model.valid_ms_max) if model.valid_ms_max else 0
        bar = glyphs.full * full + glyphs.empty * (_BAR_CELLS - full)
        parts.append(Text(f"answer good for {age(valid_ms)} {bar}"))
    return joined(parts)


def _fact(title: str, words: str, style: str = "") -> Text:
    return Text(f"{title:<8}").append_text(told(words, style))


def _sentences(title: str, words: str, style: str, width: int, glyphs: Glyphs) -> list[Text]:
    lines = wrapped(clean(words), width - 8, 2, glyphs)
    return [Text(f"{title if i == 0 else '':<8}").append(line, style) for i, line in enumerate(lines)]


def _problems(status: JsonObject) -> list[str]:
    strangers = [
        f"stranger {each.get('address')}: {each.get('why')}, {age(number_or_none(each, 'last_seen_ms'))} ago"
        for each in rows(status, "strangers")
    ]
    return [*texts(status, "problems"), *strangers]
