"""Who is heard and has not proven itself: what it takes to be asked, and who does not answer. docs/protocol.md 3.4, 4.1.

All of it is bounded: anybody can make up hosts by the thousand."""

from kingd.core.timing import NEVER, SECOND
from kingd.core.wire.endpoint import Endpoint
from kingd.core.wire.message import NodeId
from kingd.records import dataclass, field

_PER_SECOND = 500  # 450 hosts that start together stay below it
_EARNING_MAX = 1024
_UNANSWERED_MAX = 64
_EARNS_PROBE = 3  # datagrams: a probe has 296 bytes, and no datagram has less than 124
_NOTED_US = 30 * SECOND


@dataclass(slots=True)
class Unanswered:
    """Heard by multicast, silent to probes: since when, where, which key signs what it says, and when it was heard last."""

    since_us: int
    endpoint: Endpoint
    key_id: int
    heard_us: int


@dataclass(slots=True)
class Strangers:
    """All of them together."""

    heard_us: int = -NEVER  # when one was last heard
    since_us: int = 0  # the second in which so many of them were probed
    probed: int = 0
    earning: dict[Endpoint, int] = field(default_factory=dict)  # their addresses: datagrams towards a probe
    unanswered: dict[NodeId, Unanswered] = field(default_factory=dict)
    # Since when this node signs with its key, and has run all the time: who did not answer before may do so now.
    asking_since_us: int = 0

    def hear(self, now_us: int) -> None:
        self.heard_us = now_us

    def count_probe(self, now_us: int) -> bool:
        """Whether one more is no flood."""
        if now_us - self.since_us >= SECOND:
            self.since_us, self.probed = now_us, 0
        self.probed += 1
        return self.probed <= _PER_SECOND

    def earns_probe(self, source: Endpoint) -> bool:
        """Only an announcement is larger than a probe: of all others it takes three from one address (protocol.md 3.4)."""
        count = self.earning.pop(source, 0) + 1
        if count >= _EARNS_PROBE:
            return True
        while len(self.earning) >= _EARNING_MAX:
            del self.earning[next(iter(self.earning))]
        self.earning[source] = count
        return False

    def note_unanswered(self, node: NodeId, source: Endpoint, key_id: int, now_us: int) -> None:
        if node in self.unanswered:
            self.unanswered[node].heard_us = now_us
        elif len(self.unanswered) < _UNANSWERED_MAX:
            self.unanswered[node] = Unanswered(now_us, source, key_id, now_us)

    def answered(self, node: NodeId) -> int | None:
        """Since when it was heard in vain, or None."""
        found = self.unanswered.pop(node, None)
        return None if found is None else found.since_us

    def left(self, node: NodeId) -> None:
        """It says that it ends, or somebody says so: nobody waits for its answer."""
        self.unanswered.pop(node, None)

    def forget(self, now_us: int, *, silent_us: int) -> None:
        """Who was silent for so long is not heard any more. Whoever is still heard is noted again."""
        for target, found in list(self.unanswered.items()):
            if now_us - found.heard_us > silent_us or now_us - found.since_us > _NOTED_US:
                del self.unanswered[target]

    def ask_anew(self, now_us: int) -> None:
        """What was not answered under another key, or while this node did not run, tells nothing about now."""
        self.asking_since_us = now_us
        self.unanswered.clear()
