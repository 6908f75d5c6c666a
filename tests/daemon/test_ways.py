"""The three ways through the house that docs/architecture.md lists: real daemons call those functions, in that order."""

import itertools
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.cli.raw_client import eventually
from tests.daemon.running import TOP, Daemon, free_port
from tests.unit.test_architecture import WAYS

HEARTBEAT, CLAIM, LEADER = ([f"{module}.{function}" for module, function in way] for way in WAYS)
ALL = ("box1", "box2", "box3")
# Writes down what it calls.
PROGRAM = """
import os, sys
top, out = {top!r} + os.sep, open({out!r}, "w", buffering=1)
def note(frame, event, _):
    file = frame.f_code.co_filename
    if event == "call" and file.startswith(top):
        out.write(f"{{file[len(top):-3]}}.{{frame.f_code.co_name}}\\n")
sys.setprofile(note)
from {module} import main
sys.exit(main({arguments}))
"""


def traced(out: Path, module: str, arguments: str = "") -> tuple[str, str]:
    return "-c", PROGRAM.format(top=str(TOP / "kingd"), out=str(out), module=module, arguments=arguments)


def is_in_order(way: list[str], calls: Iterable[str]) -> bool:
    left = iter(calls)
    return all(step in left for step in way)


def parts(calls: list[str], first: str) -> Iterator[list[str]]:
    """From each call of `first` to the next one."""
    begins = [at for at, call in enumerate(calls) if call == first]
    return (calls[begin:end] for begin, end in itertools.pairwise([*begins, len(calls)]))


def has_walked_heartbeat(folder: Path) -> bool:
    calls = (folder / "box2.calls").read_text().split()
    return any(is_in_order(HEARTBEAT, part) for part in parts(calls, HEARTBEAT[0]))


@pytest.fixture
def trio(tmp_path: Path) -> Iterator[list[Daemon]]:
    """Not started; the first one leads."""
    port, cluster = free_port(), f"ways-{os.getpid()}"
    made = [
        Daemon(tmp_path / name, cluster=cluster, port=port, name=name, options=("--priority", str(100 - at)))
        for at, name in enumerate(ALL)
    ]
    yield made
    for daemon in made:
        daemon.close()


def test_ways_are_walked_in_the_order_of_their_lists(trio: list[Daemon], tmp_path: Path) -> None:
    """The leader is killed, the next one claims, the third one promises, and is asked who leads."""
    first, *others = trio
    first.start().until_leader("box1")
    for daemon in others:
        daemon.spawn(*traced(tmp_path / f"{daemon.name}.calls", "kingd.daemon.main", "sys.argv[1:]"))
        daemon.until_ready()
        daemon.until_leader("box1")
    eventually(lambda: has_walked_heartbeat(tmp_path))
    assert first.process is not None
    first.process.kill()
    for daemon in others:
        daemon.until_leader("box2")
    words = [
        sys.executable,
        *traced(tmp_path / "kingctl.calls", "kingd.cli.main"),
        "--socket",
        others[1].socket,
        "leader",
    ]
    assert subprocess.run(words, cwd=TOP, check=True, stdout=subprocess.PIPE, text=True).stdout == "box2\n"
    for daemon in others:
        assert daemon.stop()[0] == 0
    asked, box2, box3 = ((tmp_path / f"{name}.calls").read_text().split() for name in ("kingctl", "box2", "box3"))
    assert is_in_order(CLAIM[:4] + CLAIM[6:], box2)
    assert is_in_order(CLAIM[4:6], box3)
    assert is_in_order(LEADER[:4], asked)
    assert is_in_order(LEADER[4:], box3)
