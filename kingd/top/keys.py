"""What a terminal sends for a key, as the key's name. Pure.

A character is its own name; others are up, down, pageup, pagedown, home, end, enter, escape, backspace, ctrl-l. What is not
known is skipped, whole."""

import re

_NAMES = {
    "\x1b[A": "up", "\x1bOA": "up", "\x1b[B": "down", "\x1bOB": "down",
    "\x1b[5~": "pageup", "\x1b[6~": "pagedown",
    "\x1b[H": "home", "\x1bOH": "home", "\x1b[1~": "home", "\x1b[7~": "home",
    "\x1b[F": "end", "\x1bOF": "end", "\x1b[4~": "end", "\x1b[8~": "end",
    "\r": "enter", "\n": "enter", "\x7f": "backspace", "\x08": "backspace", "\x0c": "ctrl-l",
}  # fmt: skip
_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|O[ -~])")  # ECMA-48 5.4, and what keypads send
_BEGUN = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|O)?\Z")


def keys(typed: str, *, is_all: bool) -> tuple[list[str], str]:
    """The keys, and what may be the beginning of another one. `is_all`: nothing more comes, so a beginning was Escape."""
    found: list[str] = []
    at = 0
    while at < len(typed):
        sequence = _SEQUENCE.match(typed, at)
        if sequence is not None:
            at = sequence.end()
            found += filter(None, [_NAMES.get(sequence[0])])
        elif typed[at] == "\x1b":
            if _BEGUN.match(typed, at) and not is_all:
                return found, typed[at:]
            found.append("escape")
            at = len(typed) if _BEGUN.match(typed, at) else at + 1
        else:
            found += filter(None, [_NAMES.get(typed[at]) or (typed[at] if typed[at].isprintable() else None)])
            at += 1
    return found, ""
