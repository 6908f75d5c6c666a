"""What came from the network and was not for us: counted by reason, said once per reason and source, and shown as
`strangers`.
"""

from collections import OrderedDict, deque
from collections.abc import Hashable

from kingd.control.service import JsonObject
from kingd.core.wire.codec import SOURCE_AT
from kingd.core.wire.endpoint import Endpoint
from kingd.log import WARNING, Logger, OncePer

_log = Logger("kingd.net")

_STRANGERS_MAX = 64
_SHOWN_US = 60_000_000
# reason -> what `strangers` calls it
_STRANGE = {"other-cluster": "other-cluster", "bad-key": "bad-key", "unsigned": "bad-key", "version": "version"}
# Every reason for which a datagram is counted as refused, in words. kingctl(1) prints this table.
MEANINGS = {
    # not for us, or not understood: these are told of in the log as well
    "other-cluster": "it belongs to another cluster (the `cluster` setting differs)",
    "bad-key": "it is signed with a key that is not ours (see security.key_file on both hosts)",
    "unsigned": "it is not signed, and this host wants a key (see security.key_file and security.mode on that host)",
    "damaged": "its checksum is wrong: damaged on the way, or forged",
    "text": "a name, version, tag or address in it is none that a configuration could have: forged, or a mistake over there",
    "version": "it speaks another major version of the protocol",
    "magic": "it is no datagram of kingd: something else uses the port or the group",
    "type": "it is of a kind that this version does not know",
    "truncated": "it ends too early",
    "oversized": "it is longer than any datagram of kingd",
    "length": "its length is not the one that it states",
    "header": "its header holds a value that does not exist",
    "count": "it lists more than it may",
    "reason": "it names a reason that this version does not know",
    "way": "it names a way that this version does not know",
    "lease": "it asks for a longer promise than anybody may ask for",
    "flood": "strangers send more than this host looks at: not looked at (see kingctl status)",
    # understood, and not believed or of no use any more
    "duplicate-id": "this host is silent, or the sender is not believed: two use one node id (a copied state folder)",
    "other-destination": "it is meant for another node than the one that got it",
    "other-session": "it is meant for another session of this node: an earlier one, or it was recorded and sent again",
    "term": "its term is so far ahead that it would use up the numbers: forged, or a broken host",
    "replay": "it came before: duplicated by the network, or recorded and sent again",
    "late": "it was overtaken by a newer one of its sender, or its sender has started anew since",
    "left": "its sender had said goodbye before",
    "full": "there is no room for another member: more than 4096",
    "unasked": "it answers a question that this node has not asked, or asked too long ago",
    "stale-answer": "it answers a claim or a survey that is over",
    "roster": "it is a list of members, from one that this node does not follow",
    "heartbeat": "it is a heartbeat that calls another node the leader than its sender: that host is at fault, or it is forged",
    "voters": "its sender has another list of quorum.voters",
    "stale-claim": "it is a claim, and a newer word of its sender says that it claims no more",
    "resigned": "it is a claim that its sender has given back since",
    "aside": "it is of kingctl doctor or history --all: by one that may not ask, or more than is answered, or nobody has asked",
    "obituary": "it says that somebody died who is not known, who lives, or whose obituaries are not believed",
}
_NODE_IS_READABLE = ("other-cluster", "bad-key", "unsigned")  # in these it stands where it always does


class Refusals:
    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self._strangers: OrderedDict[tuple[Hashable, str], tuple[Endpoint, int]] = OrderedDict()
        self._once = OncePer(_log)

    def count(self, reason: str) -> None:
        """One that was not even read."""
        self.counts[reason] = self.counts.get(reason, 0) + 1

    def note(self, reason: str, source: Endpoint, data: bytes, *, now_us: int) -> None:
        """Cheap, for it is done for every datagram of a flood. `data`: the datagram, which may be anything."""
        self.count(reason)
        # One host speaks from an address of each family.
        host: Hashable = data[SOURCE_AT] if reason in _NODE_IS_READABLE else source.host
        self._once.log(
            WARNING, (reason, host), "refused a datagram from %s (%s): %s",
            source, reason, MEANINGS.get(reason, reason), now_us=now_us,
        )  # fmt: skip
        if reason in _STRANGE:
            key = (host, _STRANGE[reason])
            known = self._strangers.pop(key, (source, 0))[0]
            self._strangers[key] = (source if source.is_better_than(known) else known), now_us
            if len(self._strangers) > _STRANGERS_MAX:
                self._strangers.popitem(last=False)

    def strangers(self, now_us: int) -> list[JsonObject]:
        """Those heard within the last minute, the latest first, each by the best of its addresses."""
        return [
            {"address": str(source), "why": why, "last_seen_ms": (now_us - at_us) // 1000}
            for (_, why), (source, at_us) in reversed(self._strangers.items())
            if now_us - at_us <= _SHOWN_US
        ]


class Lately:
    """How much counters have grown in about the last minute."""

    def __init__(self) -> None:
        self._samples: deque[tuple[int, dict[str, int]]] = deque()

    def sample(self, counts: dict[str, int], *, now_us: int) -> None:
        """To be called every few seconds."""
        self._samples.append((now_us, counts))
        while len(self._samples) > 1 and now_us - self._samples[1][0] >= _SHOWN_US:
            self._samples.popleft()

    def growth(self, counts: dict[str, int]) -> dict[str, int]:
        """Of those that have grown."""
        before = self._samples[0][1] if self._samples else {}
        return {name: count - before.get(name, 0) for name, count in counts.items() if count > before.get(name, 0)}
