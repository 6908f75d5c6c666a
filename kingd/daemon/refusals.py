"""What came from the network and was not for us: counted by reason, said once per reason and source, and shown as
`strangers`.
"""

import logging
from collections import OrderedDict

from kingd.control.service import JsonObject
from kingd.core.endpoint import Endpoint
from kingd.daemon.log import OncePer

_log = logging.getLogger("kingd.net")

_STRANGERS_MAX = 64
_SHOWN_US = 60_000_000
_STRANGE = ("other-cluster", "bad-key", "version")
_MEANING = {
    "other-cluster": "it belongs to another cluster (the `cluster` setting differs)",
    "bad-key": "its checksum is wrong: damaged on the way, or made with a cluster key",
    "version": "it speaks another major version of the protocol",
}


class Refusals:
    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self._strangers: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._once = OncePer(_log)

    def note(self, reason: str, source: Endpoint, *, now_us: int) -> None:
        self.counts[reason] = self.counts.get(reason, 0) + 1
        meaning = _MEANING.get(reason, f"not a kingd datagram that this version understands ({reason})")
        self._once.log(
            logging.WARNING, (reason, source.host), "refused a datagram from %s: %s", source, meaning, now_us=now_us
        )
        if reason in _STRANGE:
            key = (str(source), reason)
            self._strangers[key] = now_us
            self._strangers.move_to_end(key)
            if len(self._strangers) > _STRANGERS_MAX:
                self._strangers.popitem(last=False)

    def strangers(self, now_us: int) -> list[JsonObject]:
        """Those heard within the last minute, the latest first."""
        return [
            {"address": address, "why": why, "last_seen_ms": (now_us - at_us) // 1000}
            for (address, why), at_us in reversed(self._strangers.items())
            if now_us - at_us <= _SHOWN_US
        ]
