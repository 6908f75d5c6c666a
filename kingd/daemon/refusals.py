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
# reason -> what `strangers` calls it
_STRANGE = {"other-cluster": "other-cluster", "bad-key": "bad-key", "unsigned": "bad-key", "version": "version"}
_MEANING = {
    "other-cluster": "it belongs to another cluster (the `cluster` setting differs)",
    "bad-key": "it is signed with a key that is not ours (see security.key_file on both hosts)",
    "unsigned": "it is not signed, and this host wants a key (see security.key_file and security.mode on that host)",
    "damaged": "its checksum is wrong: damaged on the way, or forged",
    "text": "a name, version, tag or address in it is none that a configuration could have: forged, or a mistake over there",
    "version": "it speaks another major version of the protocol",
}
_NOT_UNDERSTOOD = "not a kingd datagram that this version understands"


class Refusals:
    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self._strangers: OrderedDict[tuple[Endpoint, str], int] = OrderedDict()
        self._once = OncePer(_log)

    def note(self, reason: str, source: Endpoint, *, now_us: int) -> None:
        """Cheap, for it is done for every datagram of a flood."""
        self.counts[reason] = self.counts.get(reason, 0) + 1
        meaning = _MEANING.get(reason, _NOT_UNDERSTOOD)
        self._once.log(
            logging.WARNING, (reason, source.host), "refused a datagram from %s (%s): %s", source, reason, meaning,
            now_us=now_us,
        )  # fmt: skip
        if reason in _STRANGE:
            key = (source, _STRANGE[reason])
            self._strangers[key] = now_us
            self._strangers.move_to_end(key)
            if len(self._strangers) > _STRANGERS_MAX:
                self._strangers.popitem(last=False)

    def strangers(self, now_us: int) -> list[JsonObject]:
        """Those heard within the last minute, the latest first."""
        return [
            {"address": str(source), "why": why, "last_seen_ms": (now_us - at_us) // 1000}
            for (source, why), at_us in reversed(self._strangers.items())
            if now_us - at_us <= _SHOWN_US
        ]
