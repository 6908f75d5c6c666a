"""A running daemon holds no module in memory that it does not need, and a start imports none."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kingd.daemon import after_start
from tests.daemon.running import TOP, Daemon, free_port

# What was there once, with the MiB that it costs: click 1.3, OpenSSL 5, asyncio 6, logging 1.5, what dataclasses import 1.2 ...
NEEDLESS = (
    *("click", "gettext", "uuid", "platform"),
    *("_ssl", "_hashopenssl", "ssl"),
    *("ipaddress", "fnmatch", "ntpath", "selectors", "urllib.parse"),
    *("asyncio", "concurrent", "concurrent.futures", "subprocess"),
    *("dataclasses", "inspect", "logging", "traceback", "tokenize", "string", "textwrap", "tomllib", "copy", "locale"),
    *("ast", "dis", "opcode", "difflib"),
    *("argparse", "shutil", "tempfile", "multiprocessing", "pickle", "daemon", "scapy", "importlib.metadata"),
    *(
        "prometheus_client",
        "http",
        "kingd.web",
        "kingd.cli",
        "kingd.client",
        "kingd.lab",
        "kingd.sim",
        "kingd.daemon.command",
    ),
)
TELLING = """
import signal, sys
from types import ModuleType
# What stands for a module that nobody has used is no module yet.
loaded = lambda: [name for name, module in sys.modules.items() if type(module) is ModuleType]
signal.signal(signal.SIGUSR1, lambda *_: print(*loaded(), flush=True))
from kingd.__main__ import main
main()
"""


def test_running_daemon_holds_nothing_needless(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path / "box1", cluster=f"test-{os.getpid()}", port=free_port())
    daemon.spawn("-c", TELLING)
    try:
        daemon.until_ready()
        daemon.until_leader("box1")
        for method in (
            "Status",
            "Members",
            "Survey",
            "Histories",
            "History",
            "Counters",
        ):  # what people ask brings nothing in either
            daemon.ask(method)
        daemon.signal(signal.SIGUSR1)
        assert daemon.process is not None
        assert daemon.process.stdout is not None
        held = daemon.process.stdout.readline().split()
    finally:
        daemon.close()
    assert {"kingd.daemon.runtime", *after_start.MODULES} <= set(held)
    assert [name for name in NEEDLESS if name in held] == []


@pytest.mark.parametrize(
    "use",
    [
        "import ntpath, ntpath as again; assert ntpath.sep == again.sep",
        "from fnmatch import fnmatch; assert fnmatch('ab', 'a*')",
        "import selectors; assert selectors.DefaultSelector().get_map() == {}",
        "import urllib.parse; assert urllib.parse.quote('a b') == urllib.parse.quote_from_bytes(b'a b') == 'a%20b'",
        "from pathlib import Path; assert Path('/a b').as_uri() == Path('/a b').as_uri() == 'file:///a%20b'",
        "from urllib.parse import urlsplit; assert urlsplit('http://[::1]/').hostname == '::1'",
    ],
)
def test_whoever_uses_a_late_module_gets_it(use: str) -> None:
    program = f"from kingd.daemon.lean import be_lean; be_lean(); main = lambda: None; {use}"
    subprocess.run([sys.executable, "-c", program], cwd=TOP, check=True)


def test_start_without_files_does_not_pay_for_a_parser() -> None:
    script = (
        "import sys; from pathlib import Path; from kingd.config import load\n"
        "load(main=Path('/nonexistent/kingd.toml'), explicit=False, overrides={'priority': 1})\n"
        "print([name for name in ('tomllib', 'difflib', 'asyncio', 'json') if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", script], cwd=TOP, capture_output=True, text=True, check=False)
    assert (run.stdout, run.stderr) == ("[]\n", "")


def test_guardian_is_forked_before_what_is_written_in_python_is_there() -> None:
    program = (
        "import sys; before = set(sys.modules); import kingd.__main__; kingd.__main__.be_lean(); import kingd.daemon.guardian\n"
        "new = {name: getattr(sys.modules[name], '__spec__', None) for name in set(sys.modules) - before}\n"
        "print(*(name for name, spec in new.items() if spec and (spec.origin or '').endswith('.py')))"
    )
    run = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True)
    theirs = {name for name in run.stdout.split() if not name.startswith("kingd")}
    assert theirs <= {"__future__", "types", "urllib"}


def test_first_datagram_does_not_wait_for_what_comes_after_the_start() -> None:
    program = (
        "import sys, kingd.daemon.main, kingd.daemon.keys, kingd.daemon.runtime, kingd.daemon.checker\n"
        "from kingd.daemon.after_start import MODULES; print([name for name in MODULES if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", program], cwd=TOP, capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"


def test_import_of_the_network_is_cheap() -> None:
    program = (
        "import socket, struct, sys, kingd.loop; before = set(sys.modules); import kingd.net.transport, kingd.net.seeds; "
        "print(*sorted(n for n in set(sys.modules) - before if not n.startswith('kingd')))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert set(result.stdout.split()) <= {"netifaces", "fcntl"}


def test_before_it_is_set_up_the_log_says_in_plain_words_what_matters() -> None:
    program = "from kingd.log import Logger; log = Logger('x'); log.info('a'); log.warning('b %s\\n', 1)"
    run = subprocess.run([sys.executable, "-c", program], cwd=TOP, capture_output=True, text=True, check=True)
    assert (run.stdout, run.stderr) == ("", "b 1\\n\n")


def test_takeover_imports_nothing() -> None:
    """It took a millisecond and a half between the address and its first announcement."""
    program = """
import sys
from kingd.vip import runner
before = set(sys.modules)
for packed in (bytes(4), bytes(16)):
    runner.announcements(packed, bytes(6), is_router=runner.is_router("lo"))
print(sorted(set(sys.modules) - before))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
