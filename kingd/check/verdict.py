"""From single runs of a check to whether the host is fit: rise and fall. Pure.

In: how each run went. Out: `fit`. The first one decides by itself, for nobody knows anything better; after that so many in a
row are needed, so that one slow answer moves no leadership."""


class Verdict:
    def __init__(self, *, rise: int, fall: int) -> None:
        self.fit: bool | None = None  # None: no run has ended yet
        self.row = 0  # how many runs in a row said something else than `fit`
        self.configure(rise=rise, fall=fall)

    def resume(self, *, fit: bool, row: int) -> None:
        """As another process left it."""
        self.fit, self.row = fit, row

    def configure(self, *, rise: int, fall: int) -> None:
        """What is known stays known."""
        self._rise, self._fall = rise, fall

    @property
    def needed(self) -> int:
        """So many in a row change it."""
        return self._fall if self.fit else self._rise

    def note(self, *, ok: bool) -> bool:
        """A run has ended. Whether `fit` is another one now."""
        self.row = 0 if ok is self.fit else self.row + 1
        if self.fit is not None and self.row < self.needed:
            return False
        changed, self.fit, self.row = ok is not self.fit, ok, 0
        return changed
