"""Questions in flight that only a living session can answer. docs/protocol.md 4.1."""

from kingd.core.state.request import Request
from kingd.core.wire.endpoint import Endpoint
from kingd.core.wire.message import NodeId, SessionId
from kingd.records import dataclass

CHALLENGES_MAX = 1024


@dataclass(slots=True)
class Challenge:
    """A probe in flight. No timer sends it again: whoever is heard, and has not answered, is asked anew."""

    nonce: int
    request: Request
    endpoint: Endpoint | None = None  # where it went last


class Challenges:
    """Probes in flight, by (node, session): the only trace that an unverified session leaves. The oldest give way."""

    def __init__(self) -> None:
        self._sent: dict[tuple[NodeId, SessionId], Challenge] = {}

    def __len__(self) -> int:
        return len(self._sent)

    def put(self, node: NodeId, session: SessionId, challenge: Challenge) -> None:
        self._sent.pop((node, session), None)
        while len(self._sent) >= CHALLENGES_MAX:
            del self._sent[next(iter(self._sent))]
        self._sent[node, session] = challenge

    def get(self, node: NodeId, session: SessionId) -> Challenge | None:
        return self._sent.get((node, session))

    def forget(self, node: NodeId, session: SessionId) -> None:
        """What answers an earlier one proves nothing about now."""
        self._sent.pop((node, session), None)

    def take(self, node: NodeId, session: SessionId, *, echo: int) -> Challenge | None:
        challenge = self._sent.get((node, session))
        if challenge is None or challenge.nonce != echo:
            return None
        return self._sent.pop((node, session))
