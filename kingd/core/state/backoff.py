"""Claims that came to nothing: what they teach. docs/protocol.md 4.4."""

from kingd.records import dataclass


@dataclass(slots=True)
class BackOff:
    """It outlives the roles: who seeks again after a claim remembers the claim."""

    duels: int = 0  # claims, of this node and to it, that came to nothing since there was a leader
    failures: int = 0  # claims that failed in a row
    waits_for_foreign: bool = False  # seeking, but backed off because it hears a leader that it cannot follow

    def count_duel(self) -> None:
        self.duels += 1

    def fail(self) -> None:
        self.failures += 1

    def succeed(self) -> None:
        self.failures = 0

    def follow(self) -> None:
        self.duels = self.failures = 0

    def lead(self) -> None:
        """To do so alone is no success."""
        self.duels = 0

    def wait_for_foreign(self, on: bool) -> None:
        self.waits_for_foreign = on
