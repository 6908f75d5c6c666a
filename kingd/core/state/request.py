"""What is asked again after 30, 80 and 160 ms, and then given up: one clock for all who ask. docs/architecture.md, "A request".

It knows when, and neither what nor whom: who asks sends it, and says when it is answered."""

from kingd.records import dataclass


@dataclass(slots=True)
class Request:
    """In flight."""

    sent_us: int  # for the first time: what an answer proves, it proves from then on
    after_us: tuple[int, ...]  # how long after that it goes out again; at the last of these it is given up
    resends: int = 0

    @property
    def due_us(self) -> int:
        return self.sent_us + self.after_us[self.resends]

    def again(self) -> bool:
        """It is due: whether it goes out once more. If not, it is given up."""
        self.resends += 1
        return self.resends < len(self.after_us)

    def excuse(self, late_us: int) -> None:
        """This node did not run for so long, and heard no answer."""
        self.after_us = tuple(us + late_us for us in self.after_us)

    def go_on(self, until_us: int) -> None:
        """Somebody has answered, so the others may do so, too: they are not asked again before, nor given up."""
        if self.due_us < until_us:
            self.excuse(until_us - self.due_us)

    def is_in_vain(self, *, heard_us: int, now_us: int, wait_us: int) -> bool:
        """It went out after the last word of whoever was asked, and that is so long ago."""
        return heard_us <= self.sent_us <= now_us - wait_us
