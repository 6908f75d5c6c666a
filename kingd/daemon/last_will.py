"""The runtime's side of the last will: the core says who is to get an obituary, and the guardian gets it signed.

It is written anew whenever something in it has changed: the addressees, the links, the keys. A guardian that is gone is
a problem that users are told; the election goes on."""

import random
from functools import partial

from kingd.core.effect import Will
from kingd.core.wire.codec import encode
from kingd.core.wire.seal import Seal
from kingd.daemon.guardian import Guardian
from kingd.log import Logger
from kingd.loop import Loop, Timer
from kingd.net.transport import Transport

_log = Logger("kingd")

_REAP_AFTER_S = 1.0
_GONE = (
    "this daemon has no guardian process (any more): should it crash, the others notice only by the leader timeout; "
    "restart kingd"
)


class LastWill:
    def __init__(self, guardian: Guardian | None, seal: Seal, *, rng: random.Random) -> None:
        """None: there is nobody to leave it to."""
        self._guardian = guardian
        self._seal = seal
        self._rng = rng
        self._loop: Loop | None = None
        self._transport: Transport | None = None
        self._will = Will(None)
        self._leaving: Timer | None = None
        self.problem = _GONE if guardian is None else ""  # for users

    def watch(self, loop: Loop, transport: Transport) -> None:
        """It is to go these ways. Notice when the guardian ends before this process."""
        self._loop, self._transport = loop, transport
        if self._guardian is not None:
            loop.add_reader(self._guardian.pipe, self._on_gone)

    def leave(self, will: Will) -> None:
        """A new one. Where many hosts leave one at one moment, each does it at a moment of its own."""
        assert self._loop is not None
        if self._leaving is not None:
            self._leaving.cancel()
        if will.spread_us:
            self._leaving = self._loop.call_later(
                self._rng.uniform(0, will.spread_us) / 1e6, partial(self._replace, will)
            )
        else:
            self._replace(will)

    def _replace(self, will: Will) -> None:
        self._will = will
        self.renew()

    def reseal(self, seal: Seal) -> None:
        self._seal = seal
        self.renew()

    def renew(self) -> None:
        """The present one, perhaps by other ways."""
        if self._guardian is None:
            return
        assert self._transport is not None
        will, obituary = self._will, self._will.obituary
        try:
            self._guardian.leave(
                encode(obituary, self._seal) if obituary else b"", self._transport.routes(will.to, group=will.group)
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
