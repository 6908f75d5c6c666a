"""The status page of kingctl serve, which loads itself again: the daemon's answers in, HTML out. No sockets, no script.

Names, versions and sentences come from other hosts: each is cleaned and escaped where it is written, and nowhere before."""

import base64
import hashlib
import html
from collections.abc import Sequence

from kingd.cli.text import age, clean
from kingd.control.answer import flag, number, number_or_none, rows, section, text, texts
from kingd.control.client import JsonObject

AGAIN_S = 2
_STYLE = """
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif }
body { max-width: 70rem; margin: 1rem auto; padding: 0 1rem; overflow-wrap: anywhere }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: .2rem .8rem .2rem 0; border-bottom: 1px solid GrayText }
.leader { font-weight: bold }
.dead, .left { color: GrayText }
@media (max-width: 45rem) {
thead { display: none }
tr, td { display: block; border: 0 }
tr { border-bottom: 1px solid GrayText; padding: .4rem 0 }
td { padding: 0 }
td::before { content: attr(data-name) ": "; color: GrayText }
}
"""
_DIGEST = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
POLICY = f"default-src 'none'; style-src 'sha256-{_DIGEST}'; frame-ancestors 'none'"
_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="{again_s}">
<title>{title}</title>
<style>{style}</style>
<h1>{title}</h1>
<p>So says {who} at {time} UTC. This page loads itself again every {again_s} s.
{body}
<p><a href="/leader">/leader</a> (200 on the leader, 503 elsewhere), <a href="/metrics">/metrics</a> (Prometheus),
<a href="/healthz">/healthz</a>
</html>
"""
_COLUMNS = ("Name", "Priority", "Role", "State", "May lead", "Last heard", "Address", "Version")


def page(title: str, *, who: str, time: str, body: str = "") -> bytes:
    """`body`: HTML; all else is text. `time`: when that was so."""
    words = {"title": _written(title), "who": _written(who), "time": _written(time)}
    return _PAGE.format(**words, again_s=AGAIN_S, style=_STYLE, body=body).encode()


def body(status: JsonObject, members: JsonObject) -> str:
    """This node's problems, and a row a member. BadAnswer: of another version."""
    node = section(status, "node")
    problems = [f"<li>{_written(each)}" for each in texts(status, "problems")]
    found = [f"<h2>Problems of {_written(text(node, 'name'))}</h2>", "<ul>", *problems, "</ul>"] if problems else []
    head = "".join(f"<th>{each}" for each in _COLUMNS)
    found += ["<h2>Members</h2>", "<table>", f"<thead><tr>{head}</thead>", "<tbody>"]
    found += [_row(each, is_here=each.get("id") == node.get("id")) for each in rows(members, "members")]
    return "\n".join([*found, "</tbody>", "</table>"])


def _row(member: JsonObject, *, is_here: bool) -> str:
    role, state = text(member, "role"), text(member, "state")
    heard_ms = number_or_none(member, "last_heard_ms")
    cells: Sequence[object] = (
        text(member, "name") + (" (this host)" if is_here else ""),
        number(member, "priority"),
        role,
        state,
        "yes" if flag(member, "eligible") else f"no: {member.get('ineligible_reason') or 'it does not say why'}",
        "-" if heard_ms is None else f"{age(heard_ms)} ago",
        member.get("address") or "-",
        member.get("version") or "-",
    )
    shown = "".join(f'<td data-name="{name}">{_written(cell)}' for name, cell in zip(_COLUMNS, cells, strict=True))
    return f'<tr class="{_written(role)} {_written(state)}">{shown}'


def _written(value: object) -> str:
    return html.escape(clean(value))
