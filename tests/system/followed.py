"""A recipe of docs/recipes.md, followed on a host; and stand-ins for what it calls and the host has not."""

from pathlib import Path

from tests.recipes import recipe
from tests.system.lab import Host, until


def follow(host: Host, title: str, *, but: tuple[str, ...] = ()) -> str:
    """Does all that the recipe says, except for the files in `but`; what its commands printed."""
    said = ""
    for block in recipe(title):
        if block.path and block.path not in but:
            host.write(block.path, block.text, mode=block.mode)
        elif block.language == "sh" and not block.path:
            said += host.run(f"set -e\n{block.text}")
    return said


def stand_in(host: Host, path: str, body: str = "") -> None:
    """Notes its arguments in /root/<its name>, a line for each call."""
    host.write(path, f'#!/bin/sh\necho "called $*" >>/root/{Path(path).name}\n{body}\n', mode=0o755)


def calls(host: Host, name: str) -> list[str]:
    return host.attempt(f"cat /root/{name}").stdout.splitlines()


def lead(host: Host, *, leads: bool) -> None:
    """Alone, a host of priority 0 does not lead, and nobody does."""
    host.run(f"kingctl priority {100 if leads else 0}")
    until(lambda: (host.attempt("kingctl is-leader").returncode == 0) is leads, f"it leads: {leads}")


def until_state(host: Host, unit: str, state: str) -> None:
    until(lambda: host.show(unit, "ActiveState") == state, f"{unit} is {state}", limit_s=60)
