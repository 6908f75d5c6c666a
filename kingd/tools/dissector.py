"""The tables of the dissector for Wireshark, from the codec's own: python3 -m kingd.tools.dissector FILE.lua

The rest of that file is written by hand; between its two marks stands what this makes."""

import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from kingd.core.wire import layout
from kingd.core.wire.codec import DATAGRAM_SIZE_MAX, DATAGRAM_SIZE_MIN, SIZE_MIN, VERSION, prologue
from kingd.core.wire.message import Ineligible, Reason, Role
from kingd.core.wire.trial import Way
from kingd.daemon.refusals import MEANINGS

PORT = 5466
_BEGIN, _END = "-- tables: ", "-- end of tables\n"
_REFUSED = ("oversized", "truncated", "magic", "version", "length", "type", "header", "count", "reason", "lease", "way")


def tables() -> str:
    """Lua."""
    magic = prologue(0)[0][1].decode()
    numbers = {
        "PORT": PORT,
        "SIZE_MIN": DATAGRAM_SIZE_MIN,
        "SIZE_MAX": DATAGRAM_SIZE_MAX,
        "VERSION_MAJOR": VERSION >> 4,
        "TEXT_SIZE_MAX": layout.TEXT_SIZE_MAX,
        "LEASE_MS_MAX": layout.LEASE_MS_MAX,
        "HOLD_MS_MAX": layout.HOLD_MS_MAX,
    }
    lines = [f'local MAGIC = "{magic}"', *(f"local {name} = {number}" for name, number in numbers.items())]
    lines += _table("LEAST", {f"[{kind}]": str(size) for kind, size in SIZE_MIN.items()})
    lines += _table("ROLES", {f"[{role:d}]": _string(role.name.lower()) for role in Role})
    lines += _table("REASONS", {f"[{reason:d}]": _string(reason.word) for reason in Reason})
    lines += _table("INELIGIBLE", {f"[{why:d}]": _string(why.word) for why in Ineligible})
    lines += _table("WAYS", {f"[{way:d}]": _string(way.word) for way in Way})
    lines += _table("TYPES", {f"[{kind}]": _string(body.name) for kind, body in layout.BODIES.items()})
    lines += _table("BITS", {name: "{ " + ", ".join(map(_string, bits)) + " }" for name, bits in layout.BITS.items()})
    lines += _table("MEANINGS", {_key(reason): _string(MEANINGS[reason]) for reason in _REFUSED})
    lines += ["local HEADER = {", *_fields(layout.HEADER, "    "), "}", "local BODIES = {"]
    for kind, body in layout.BODIES.items():
        lines += [f"    [{kind}] = {{", f'        path = "kingd.{body.name.lower().replace("-", "_")}",']
        lines += ["        fields = {", *_fields(body.fields, " " * 12), "        },"]
        if body.repeat is not None:
            lines += [f'        part = {{ name = "{body.repeat.name}", counted_by = "{body.repeat.counted_by}",']
            lines += [f"            most = {body.repeat.most}, fields = {{", *_fields(body.repeat.fields, " " * 16)]
            lines += ["            },", "        },"]
        lines += ["    },"]
    return "\n".join([*lines, "}\n"])


def _table(name: str, rows: Mapping[str, str]) -> list[str]:
    return [f"local {name} = {{", *(f"    {key} = {value}," for key, value in rows.items()), "}"]


def _fields(fields: Iterable[layout.Field], indent: str) -> list[str]:
    return [f'{indent}{{ "{name}", "{kind}" }},' for name, kind in fields]


def _key(word: str) -> str:
    return f'["{word}"]'


def _string(text: str) -> str:
    assert '"' not in text
    assert "\\" not in text
    return f'"{text}"'


def with_tables(text: str) -> str:
    """The file of this content as it is to be."""
    marked = re.compile(f"({re.escape(_BEGIN)}[^\n]*\n).*?({re.escape(_END)})", re.DOTALL)
    assert marked.search(text), "the marks are missing"
    return marked.sub(lambda found: f"{found[1]}{tables()}{found[2]}", text)


if __name__ == "__main__":
    _file = Path(sys.argv[1])
    _file.write_text(with_tables(_file.read_text()))
