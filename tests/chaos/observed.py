"""The observer (observer.py) as a process that runs beside what is observed."""

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from tests.chaos.history import Record, parse
from tests.lan.host import LIMIT_S

_TOP = Path(__file__).parents[2]


class Asked(Protocol):
    """What there is to know of a host, namespaced or booted."""

    @property
    def name(self) -> str: ...
    @property
    def socket(self) -> Path:
        """Of its daemon."""


class Observed:
    """Use with `with`. `records` are there when it is over. A host need not run yet."""

    def __init__(self, hosts: Iterable[Asked], file: Path) -> None:
        self._file = file
        self._sockets = [f"{host.name}={host.socket}" for host in hosts]

    def __enter__(self) -> Self:
        with self._file.open("w", encoding="utf-8") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.chaos.observer", *self._sockets],
                cwd=_TOP, stdin=subprocess.PIPE, stdout=out, text=True,
            )  # fmt: skip
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate(timeout=LIMIT_S)
        assert self._process.returncode == 0, f"the observer ended with {self._process.returncode}"

    @property
    def records(self) -> list[Record]:
        return [parse(text) for text in self._file.read_text(encoding="utf-8").splitlines()]
