"""Keeps OpenSSL out of this process: 5 MiB of memory on each host, for TLS that an election over UDP never speaks.

The standard library works without it (there are Pythons built that way): asyncio has no TLS then, and hashlib takes
BLAKE2 from its own C code, as it does anyway. Must run before `asyncio` and `hashlib` are imported.
"""

import sys


def leave_out_openssl() -> None:
    for module in ("ssl", "_hashlib"):
        if module not in sys.modules:
            sys.modules[module] = None  # type: ignore[assignment]  # documented: makes its import fail (importlib)
