"""Whether the interfaces of the addresses can carry them: who leads without that has them where nobody reaches them. Says what
the daemon is to be told, which counts it like a check that fails (docs/fitness.md). No clock, no socket.

What may come with leadership, or is missing on all hosts by a typo, must not keep all of them from leading: an interface that
is not there, and the carrier of a bridge, which it has from its ports."""

from collections.abc import Mapping

from kingd.acting.hold import NEVER_US
from kingd.vip.floating import Link

_SECOND = 1_000_000
GOOD_FOR_MS = 5_000
_SAID_AGAIN_US = 1 * _SECOND
_BACK_AFTER_US = 2 * _SECOND  # without a break: one that flaps moves no leadership to and fro


class Carriers:
    def __init__(self, interfaces: set[str]) -> None:
        self._interfaces = sorted(interfaces)
        self._why = ""  # as it was said last
        self._fit_us = 0  # not before
        self.next_us = NEVER_US

    def turn(self, links: Mapping[str, Link], *, now_us: int) -> str | None:
        """What to say now: why this host is unfit, "" = it is fit again, None = nothing new."""
        why = next((word for name in self._interfaces if (word := _why_not(name, links.get(name)))), "")
        if why:
            self._fit_us = now_us + _BACK_AFTER_US
        elif now_us < self._fit_us:
            why = self._why
        if why == self._why and now_us < self.next_us:
            return None
        self._why, self.next_us = why, now_us + _SAID_AGAIN_US if why else NEVER_US
        return why


def _why_not(name: str, link: Link | None) -> str:
    if link is None:
        return ""
    if not link.is_up:
        return f"{name} is down"
    return "" if link.has_carrier or link.is_bridge else f"{name} has no carrier"
