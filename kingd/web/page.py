"""The status page of kingctl serve, as it is loaded: the daemon's answers in, HTML out. No sockets. What it does then is
in page.js; without script it loads itself again.

Names, versions and sentences come from other hosts: each is cleaned and escaped where it is written, and nowhere before."""

import base64
import hashlib
import html
from collections.abc import Sequence
from pathlib import Path
from string import Template
from typing import NamedTuple

from kingd.cli.text import age, clean
from kingd.control.answer import flag, number, number_or_none, rows, section, text, texts
from kingd.control.client import JsonObject

AGAIN_S = 2
_FOLDER = Path(__file__).parent
_COLUMNS = ("Name", "Priority", "Role", "State", "May lead", "Last heard", "Follows", "Address", "Version")


def _piece(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


_STYLE, _SCRIPT = _piece("page.css"), _piece("page.js")
_PAGE = Template(_piece("page.html"))
POLICY = (
    f"default-src 'none'; style-src 'sha256-{_digest(_STYLE)}'; script-src 'sha256-{_digest(_SCRIPT)}'; connect-src 'self';"
    " img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class Body(NamedTuple):
    """HTML."""

    problems: str = ""
    members: str = ""


def page(title: str, *, who: str, time: str, body: Body | None = None) -> bytes:
    """What is in `body` is HTML; all else is text. `time`: when that was so."""
    found = body or Body(members=_table([]))
    words = {"title": _written(title), "who": _written(who), "time": _written(time)}
    words |= {"problems": found.problems, "members": found.members, "again_s": str(AGAIN_S)}
    return _PAGE.substitute(words, style=_STYLE, script=_SCRIPT).encode()


def body(status: JsonObject, members: JsonObject) -> Body:
    """This node's problems, and a row a member. BadAnswer: of another version."""
    node = section(status, "node")
    problems = [f"<li>{_written(each)}" for each in texts(status, "problems")]
    head = f"<h2>Problems of {_written(text(node, 'name'))}</h2>"
    shown = "\n".join([head, "<ul>", *problems, "</ul>"]) if problems else ""
    return Body(
        shown, _table([_row(each, is_here=each.get("id") == node.get("id")) for each in rows(members, "members")])
    )


def _table(found: Sequence[str]) -> str:
    head = "".join(f'<th scope="col">{each}' for each in _COLUMNS)
    table = ['<table aria-labelledby="members">', f"<thead><tr>{head}</thead>", '<tbody id="rows">', *found]
    return "\n".join([*table, "</tbody>", "</table>"])


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
        "-",
        member.get("address") or "-",
        member.get("version") or "-",
    )
    shown = "".join(f'<td data-name="{name}">{_written(cell)}' for name, cell in zip(_COLUMNS, cells, strict=True))
    return f'<tr class="{_written(role)} {_written(state)}">{shown}'


def _written(value: object) -> str:
    return html.escape(clean(value))
