"""What all verbs of kingctl share: which daemon is asked, and how durations are written."""

from dataclasses import dataclass

import click

from kingd.control.target import DEFAULT_TIMEOUT_S, seconds, socket_path


@dataclass
class Ask:
    """Which daemon is asked, and for how long. Options after the verb win over those before it."""

    socket: str | None = None
    instance: str | None = None
    timeout_s: float = DEFAULT_TIMEOUT_S

    @property
    def path(self) -> str:
        return socket_path(self.socket, self.instance)


def duration(_ctx: click.Context, _param: click.Parameter, value: str | None) -> float | None:
    try:
        return None if value is None else seconds(value)
    except ValueError:
        hint = "such as 5s, 200ms, 1m, 2h, a year at most, or none (a number without a unit is seconds)"
        raise click.BadParameter(f"{value!r} is no duration {hint}") from None
