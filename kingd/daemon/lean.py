"""Keeps out of memory what the libraries below us import and this daemon never uses.

Must run before `pathlib` and `hashlib` are imported; tests/daemon/test_lean.py sees to it."""

import sys
from importlib import import_module
from types import ModuleType

_SELDOM = ("fnmatch", "ntpath", "ipaddress")  # what pathlib imports for patterns, for Windows and for URLs


def be_lean() -> None:
    _leave_out_openssl()
    for name in _SELDOM:
        if name not in sys.modules:
            sys.modules[name] = _Late(name)


def _leave_out_openssl() -> None:
    """5 MiB, for TLS that an election over UDP never speaks. The standard library works without it (there are Pythons built
    that way): hashlib takes BLAKE2 from its own C code, as it does anyway."""
    for name in ("ssl", "_hashlib"):
        if name not in sys.modules:
            sys.modules[name] = None  # type: ignore[assignment]  # documented: makes its import fail (importlib)


class _Late(ModuleType):
    """Stands for a module until something of it is wanted. (importlib.util.LazyLoader loads it at its second `import`.)"""

    def __getattr__(self, name: str) -> object:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(import_module(self.__name__), name)
