"""What a step asks the driver for, the numbers of what it sends, and what was not believed."""

from kingd.core.effect import Effect
from kingd.core.wire.past import NO_EVIDENCE, Evidence
from kingd.records import dataclass, field


@dataclass(slots=True)
class Outbox:
    """Of one session."""

    effects: list[Effect] = field(default_factory=list)
    sequence: int = 0  # of the last datagram
    evidence: Evidence = NO_EVIDENCE  # for what this step makes of leadership
    dropped: dict[str, int] = field(default_factory=dict)  # reason -> datagrams that were decoded and not believed

    def append(self, effect: Effect) -> None:
        self.effects.append(effect)

    def found(self, evidence: Evidence) -> None:
        self.evidence = evidence

    def number(self) -> int:
        """Of the next datagram."""
        self.sequence += 1
        return self.sequence

    def drop(self, reason: str) -> None:
        self.dropped[reason] = self.dropped.get(reason, 0) + 1

    def take(self) -> list[Effect]:
        """All that this step asked for."""
        effects, self.effects, self.evidence = self.effects, [], NO_EVIDENCE
        return effects
