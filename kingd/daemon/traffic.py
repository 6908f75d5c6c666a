"""How many datagrams came and went, by what they say, and how many were refused, by reason. Since the start of the process.

Cheap, for it is done for every datagram: plain numbers, and no library."""

from kingd.control.service import JsonObject
from kingd.core.election import Core
from kingd.core.wire.endpoint import Endpoint
from kingd.core.wire.message import Body, Claim, Offer, Ready, Resign
from kingd.daemon.refusals import MEANINGS, Lately, Refusals

_ENDPOINTS_MAX = 4096

Where = Endpoint | None
"""None: the group."""


class Traffic:
    def __init__(self, core: Core, refusals: Refusals) -> None:
        self._core = core
        self._refusals = refusals
        self._lately = Lately()
        self._sent: dict[type, int] = dict.fromkeys(Body.__args__, 0)
        self._received: dict[type, int] = dict.fromkeys(Body.__args__, 0)
        self._said: dict[type, tuple[Body, set[Where]]] = {}  # of those that are sent again: the last one, and to whom
        self._retransmits = 0

    def sends(self, body: Body, to: Where) -> None:
        self._sent[type(body)] += 1
        if isinstance(body, Claim | Offer | Ready | Resign):  # rare; and each has a number of its own
            last, told = self._said.get(type(body), (None, set()))
            if body != last or len(told) >= _ENDPOINTS_MAX:
                self._said[type(body)] = body, {to}
            elif to in told:
                self._retransmits += 1
            else:
                told.add(to)

    @property
    def remembered(self) -> int:
        """Addresses."""
        return sum(len(told) for _, told in self._said.values())

    def received(self, body: Body) -> None:
        self._received[type(body)] += 1

    def rejected(self) -> dict[str, int]:
        counts = dict(self._refusals.counts)
        for reason, count in self._core.dropped.items():
            counts[reason] = counts.get(reason, 0) + count
        return counts

    def rejected_lately(self) -> dict[str, int]:
        return self._lately.growth(self.rejected())

    def sample(self, *, now_us: int) -> None:
        """To be called every few seconds."""
        self._lately.sample(self.rejected(), now_us=now_us)

    def told(self) -> JsonObject:
        """Those that are 0 too: what counts only grows, from the first time it is asked for."""
        return {
            "sent": {_word(kind): count for kind, count in self._sent.items()},
            "received": {_word(kind): count for kind, count in self._received.items()},
            "rejected": dict.fromkeys(MEANINGS, 0) | self.rejected(),
            "retransmits": self._retransmits,
        }


def _word(kind: type) -> str:
    """ProbeAck: probe-ack."""
    return "".join(f"-{each.lower()}" if each.isupper() else each for each in kind.__name__)[1:]
