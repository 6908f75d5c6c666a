"""Forks, and does nothing else.

What a parent writes to between two births is another copy in each child: 0.6 MiB each, if it is the nursery that saves
their names, asks them for their leader and forks them. So that is left to a process that has not done anything since
its memory was warm. It ends when the nursery does."""

import os
from collections.abc import Callable
from typing import NoReturn

_NUMBER_SIZE = 4


class Mother:
    def __init__(self, become: Callable[[int], NoReturn]) -> None:
        """`become`: what the child of that number does with its life. OSError: no room for a process."""
        orders, self._orders = os.pipe()
        self._births, births = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(self._orders)
            os.close(self._births)
            _obey(orders, births, become)
        os.close(orders)
        os.close(births)

    def bear(self, number: int) -> int:
        """The process id. OSError: there is no room for another process."""
        os.write(self._orders, number.to_bytes(_NUMBER_SIZE))
        pid = os.read(self._births, _NUMBER_SIZE)
        if not pid:
            raise OSError("no process could be started")
        return int.from_bytes(pid)


def _obey(orders: int, births: int, become: Callable[[int], NoReturn]) -> NoReturn:
    try:
        while number := os.read(orders, _NUMBER_SIZE):
            pid = os.fork()
            if pid == 0:
                os.close(orders)
                os.close(births)
                become(int.from_bytes(number))
            os.write(births, pid.to_bytes(_NUMBER_SIZE))
    finally:
        os._exit(0)  # never back into what the nursery does
