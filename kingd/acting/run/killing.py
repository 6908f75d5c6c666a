"""The kill of all that a run has started, by either of its processes: again and again, until nothing lives."""

from kingd.acting.run.job import tell
from kingd.acting.tree import Process, Tree
from kingd.control.validity import now_us

_PATIENCE_US = 1_000_000  # then it is told who does not die


class Killing:
    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._since_us = 0  # 0 = not begun
        self._has_told = False

    @property
    def lasts_us(self) -> int:
        """Since the first one."""
        return now_us() - self._since_us if self._since_us else 0

    def kill(self, *, but: int = 0, tells: bool = True) -> list[Process]:
        """Who has not died yet. `but`: one of which only what is below it counts."""
        self._since_us = self._since_us or now_us()
        living = self._tree.kill(but=but)
        if living and tells and not self._has_told and self.lasts_us > _PATIENCE_US:
            self._has_told = True
            which = ", ".join(f"{each.pid} (state {each.state})" for each in living)
            tell(f"killed, and still there, while another host may lead: {which}; waiting for it")
        return living
