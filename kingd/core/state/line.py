"""The line of succession: the first three to lead if the leader went. docs/protocol.md 4.1."""

from dataclasses import dataclass


@dataclass(slots=True)
class Line:
    """Looked up now and then: a large cluster has much to look through."""

    third: tuple[int, int] | None = None  # rank of the third in it; None: they are fewer ...
    until_us: int = 0  # ... as looked up for so long

    def look_again(self) -> None:
        """Somebody new may be in it."""
        self.until_us = 0

    def know(self, third: tuple[int, int] | None, *, until_us: int) -> None:
        self.third, self.until_us = third, until_us

    def has(self, rank: tuple[int, int]) -> bool:
        return self.third is None or rank <= self.third
