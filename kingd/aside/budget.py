"""How many answers this host gives beside the election: so many a second, whoever asks and whatever for. docs/aside.md."""

_ANSWERS_PER_S = 400
_BY_GROUP_PER_S = 100
_SECOND_US = 1_000_000


class Budget:
    def __init__(self) -> None:
        self._second_us = -_SECOND_US
        self._answers = self._by_group = 0

    def has_one(self, now_us: int, *, by_group: bool = False) -> bool:
        """Takes it, if there is one left in this second. An answer by group reaches all, so there are fewer of those."""
        if now_us - self._second_us >= _SECOND_US:
            self._second_us, self._answers, self._by_group = now_us, 0, 0
        if self._answers >= _ANSWERS_PER_S or (by_group and self._by_group >= _BY_GROUP_PER_S):
            return False
        self._answers += 1
        self._by_group += by_group
        return True
