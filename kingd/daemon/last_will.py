"""The runtime's side of the last will: the core says who is to get an obituary, and the guardian gets it signed.

It is written anew whenever something in it has changed: the addressees, the links, the keys. A guardian that is gone is
a problem that users are told; the election goes on."""

import asyncio
import logging

from kingd.core.effect import Will
from kingd.core.wire.codec import encode
from kingd.core.wire.seal import Seal
from kingd.daemon.guardian import Guardian
from kingd.net.transport import Transport

_log = logging.getLogger("kingd")

_REAP_AFTER_S = 1.0
_GONE = (
    "this daemon has no guardian process (any more): should it crash, the others notice only by the leader timeout; "
    "restart kingd"
)


class LastWill:
    def __init__(self, guardian: Guardian | None) -> None:
        """None: there is nobody to leave it to."""
        self._guardian = guardian
        self._loop: asyncio.AbstractEventLoop | None = None
        self._will = Will(None)
        self.problem = _GONE if guardian is None else ""  # for users

    def watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Notice when the guardian ends before this process."""
        if self._guardian is not None:
            self._loop = loop
            loop.add_reader(self._guardian.pipe, self._on_gone)

    def leave(self, will: Will | None, transport: Transport, seal: Seal) -> None:
        """A new one, or the present one by other ways or under other keys."""
        self._will = will or self._will
        if self._guardian is None:
            return
        obituary = self._will.obituary
        try:
            self._guardian.leave(
                encode(obituary, seal) if obituary else b"", transport.routes(self._will.to, group=self._will.group)
            )
        except BlockingIOError:
            _log.warning("the guardian does not run: what it would send if this daemon crashed is out of date")
        except OSError:
            self._on_gone()

    def _on_gone(self) -> None:
        assert self._guardian is not None
        if self._loop is not None:
            self._loop.remove_reader(self._guardian.pipe)
            self._loop.call_later(_REAP_AFTER_S, self._guardian.reap)  # its pipe is closed a moment before it has ended
        self._guardian.pipe.close()
        self._guardian = None
        self.problem = _GONE
