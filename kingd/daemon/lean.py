"""Keeps out of memory what the libraries below us import and this daemon never uses.

Must run before `socket`, `pathlib` and `hashlib` are imported; tests/daemon/test_lean.py sees to it."""

import sys
from types import ModuleType

TYPE_CHECKING = False  # typing is not here yet; type checkers know the name
if TYPE_CHECKING:
    from collections.abc import Callable

_SELDOM: dict[str, tuple[str, ...]] = {
    "selectors": (),  # by socket, to send files
    "fnmatch": (),  # by pathlib, for patterns
    "ntpath": (),  # by pathlib, for Windows
    "urllib.parse": ("quote_from_bytes",),  # by pathlib, for URLs
}
"""A module that those import which we need -> its functions that they take out of it by name."""


def be_lean() -> None:
    _leave_out_openssl()
    for name, functions in _SELDOM.items():
        if name not in sys.modules:
            _put(name, _Late(name, functions))


def _leave_out_openssl() -> None:
    """5 MiB, for TLS that an election over UDP never speaks. The standard library works without it (there are Pythons built
    that way): hashlib takes BLAKE2 from its own C code, as it does anyway."""
    for name in ("ssl", "_hashlib"):
        if name not in sys.modules:
            sys.modules[name] = None  # type: ignore[assignment]  # documented: makes its import fail (importlib)


class _Late(ModuleType):
    """Stands for a module until something of it is wanted. (importlib.util.LazyLoader loads it at its second `import`.)"""

    def __init__(self, name: str, functions: tuple[str, ...]) -> None:
        super().__init__(name)
        for each in functions:
            setattr(self, each, _late_function(name, each))

    def __getattr__(self, name: str) -> object:
        if name == "__path__":  # `from ... import` asks whether it is a package
            raise AttributeError(name)
        return getattr(_loaded(self.__name__), name)


def _late_function(module: str, name: str) -> "Callable[..., object]":
    return lambda *args, **options: getattr(_loaded(module), name)(*args, **options)


def _loaded(name: str) -> ModuleType:
    if isinstance(sys.modules.get(name), _Late):
        del sys.modules[name]
    __import__(name)
    return sys.modules[name]


def _put(name: str, module: ModuleType) -> None:
    """As an import does it: what is in a package is an attribute of it, too."""
    sys.modules[name] = module
    package, _, last = name.rpartition(".")
    if package:
        setattr(__import__(package), last, module)
