"""Writes the man pages, the sample configuration and the bash completion: python3 -m docs.man.generate FOLDER

In: the prose beside this file (*.in), and from the code what would otherwise be said twice: verbs and options from
click, keys from kingd.config.KEYS, answers from org.kingd.varlink, reasons from
kingd.daemon.refusals. A line @NAME@ in the prose stands for one of these.
Out: FOLDER/man, FOLDER/examples and FOLDER/completions.
"""

import re
import sys
import textwrap
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import click
from click.shell_completion import BashComplete

from kingd import __version__
from kingd.cli.app import application
from kingd.config import KEYS, Key
from kingd.daemon.command import command as kingd
from kingd.daemon.refusals import MEANINGS
from kingd.doctor.codes import MEANINGS as CODES

_PROSE = Path(__file__).parent
# Keys whose default is not to be written down; by path, what the sample shows instead.
_EXAMPLES = {"name": 'name = "box1"', "tags": 'url = "https://box1.example/"'}


def pages() -> Iterator[tuple[str, str]]:
    """File name and roff of each page."""
    kingctl = application()
    context = click.Context(kingctl, info_name="kingctl")
    common = frozenset(record for param in kingctl.params if (record := param.get_help_record(context)))
    parts = {
        "VERSION": __version__,
        "KINGD-OPTIONS": options(kingd, click.Context(kingd, info_name="kingd")),
        "KINGCTL-OPTIONS": options(kingctl, context),
        "VERBS": "".join(verbs(kingctl, context, common)),
        "KEYS": "".join(keys()),
        "INTERFACE": interface(),
        "REFUSALS": "".join(refusals()),
        "CODES": "".join(codes()),
    }
    for file in sorted(_PROSE.glob("*.in")):
        yield file.stem, re.sub(r"@([A-Z-]+)@\n?", lambda found: parts[found[1]], file.read_text())


def options(command: click.Command, context: click.Context, *, but: frozenset[tuple[str, str]] = frozenset()) -> str:
    """What `--help` says about the command's options, `but` for those that are explained elsewhere, in the same words."""
    records = (param.get_help_record(context) for param in command.params if isinstance(param, click.Option))
    rows = [record for record in records if record is not None and record not in but]
    return "".join(f".TP\n.B {roff(names)}\n{roff(text)}\n" for names, text in rows)


def verbs(group: click.Group, context: click.Context, common: frozenset[tuple[str, str]]) -> Iterator[str]:
    """A section for each verb, in alphabetical order as in `--help`; a group's verbs after it."""
    for name in group.list_commands(context):
        command = group.commands[name]
        inner = click.Context(command, info_name=f"{context.info_name} {name}")
        path = f"{inner.info_name}".partition(" ")[2]
        usage = " ".join(piece for piece in command.collect_usage_pieces(inner) if piece != "[OPTIONS]")
        yield f".SS {roff(path)} {roff(usage)}\n{paragraphs(command.help or '')}"
        yield options(command, inner, but=common)
        if isinstance(command, click.Group):
            yield from verbs(command, inner, common)


def keys() -> Iterator[str]:
    table = ""
    for key in KEYS.values():
        if _table(key) != table:
            table = _table(key)
            yield f".SS [{table}]\n"
        name = "NAME" if key.path == "tags" else key.path.rpartition(".")[2]
        shown = f"{name} = {key.default}" if key.path not in _EXAMPLES else name
        yield f".TP\n.B {roff(shown)}\n{roff(key.doc)} {roff(_sentence(key.kind.allowed))}"
        yield f" {'Takes effect after a restart.' if key.needs_restart else 'A reload applies it.'}\n"


def refusals() -> Iterator[str]:
    """Each reason for which a datagram is refused."""
    for reason, meaning in MEANINGS.items():
        yield f".TP\n.B {roff(reason)}\n{roff(meaning[0].upper() + meaning[1:])}.\n"


def codes() -> Iterator[str]:
    """Each thing that the doctor can find."""
    for code, meaning in CODES.items():
        yield f".TP\n.B {roff(code)}\n{roff(meaning[0].upper() + meaning[1:])}.\n"


def sample() -> str:
    """A configuration file with every key as a comment, at its default."""
    lines = [
        "# kingd.toml(5): every key of kingd, at its default. None of them is needed. Copy what you change to",
        "# /etc/kingd/kingd.toml, or to a file of your own in /etc/kingd/conf.d, and then: systemctl reload kingd",
    ]
    table = ""
    for key in KEYS.values():
        if _table(key) != table:
            table = _table(key)
            lines += ["", f"[{table}]"]
        lines += ["", *textwrap.wrap(key.doc, 118, initial_indent="# ", subsequent_indent="# ")]
        lines += textwrap.wrap(
            _sentence(key.kind.allowed) + (" Needs a restart." if key.needs_restart else ""),
            118, initial_indent="# ", subsequent_indent="# ",
        )  # fmt: skip
        lines.append("#" + _EXAMPLES.get(key.path, f"{key.path.rpartition('.')[2]} = {key.default}"))
    return "\n".join(lines) + "\n"


def completion(name: str, command: click.Command) -> str:
    """bash asks the command itself what fits, so this can be of no other version."""
    return BashComplete(command, {}, name, f"_{name.upper()}_COMPLETE").source()


def interface() -> str:
    text = resources.files("kingd.control").joinpath("org.kingd.varlink").read_text()
    return f".nf\n{roff(text)}\n.fi\n"


def paragraphs(text: str) -> str:
    return ".PP\n".join(roff(" ".join(part.split())) + "\n" for part in text.strip().split("\n\n"))


def roff(text: str) -> str:
    """Text as it is, without what troff would take for a request; `this` in bold."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace('"', "\\(dq")
    text = re.sub(r"`([^`]+)`", r"\\fB\1\\fR", text)
    return "\n".join(f"\\&{line}" if line.startswith((".", "'")) else line for line in text.splitlines())


def _table(key: Key) -> str:
    return "tags" if key.path == "tags" else key.path.rpartition(".")[0]


def _sentence(allowed: str) -> str:
    return f"Allowed: {allowed}."


def main(folder: Path) -> None:
    for part in ("man", "examples", "completions"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for name, text in pages():
        (folder / "man" / name).write_text(text)
    (folder / "examples" / "kingd.toml").write_text(sample())
    (folder / "completions" / "kingctl").write_text(completion("kingctl", application()))
    (folder / "completions" / "kingd").write_text(completion("kingd", kingd))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
