"""A runner as a process of its own beside a fake kingd, a folder of hooks, and what they wrote down: a line for each begin
and each end, with CLOCK_MONOTONIC. Order is read from these records, never from a clock of the test."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from kingd.control.client import JsonObject
from tests.cli.fake_kingd import BOX1, BOX2, FakeKingd, FakeService, event, running
from tests.lan.host import until

TOP = Path(__file__).parents[2]

RECORDING = """#!{python} -IS
import os, sys, time
def note(what):
    row = (what, "{name}", os.environ["KINGD_EVENT"], os.environ["KINGD_SEQ"], os.environ["KINGD_TERM"],
           os.environ["KINGD_LEADER_NAME"] or "-", str(time.clock_gettime_ns(time.CLOCK_MONOTONIC)))
    with open("{record}", "a") as record:
        record.write(" ".join(row) + "\\n")
note("begin")
{body}
note("end")
"""


def elected(seq: int) -> JsonObject:
    return event("elected", role="leader", leader=BOX2, term=seq, seq=seq)


def changed(seq: int, name: str = "leader-changed") -> JsonObject:
    return event(name, role="follower", leader=BOX1, term=seq, seq=seq)


class Row(NamedTuple):
    what: str
    hook: str
    event: str
    seq: int
    term: int
    leader: str
    at_ns: int


class Rig:
    """`process` is the runner's."""

    def __init__(self, folder: Path, *, socket: Path | None = None) -> None:
        self.folder = folder
        self.hooks = folder / "hooks.d"
        self.hooks.mkdir(mode=0o755)
        self.state = folder / "run"
        self.state.mkdir()
        self.socket = socket or folder / "control.sock"
        self.config = folder / "kingd.toml"
        self.record = folder / "record"
        self.process: subprocess.Popen[bytes] | None = None
        self.configure()

    def configure(self, *, timeout: str = "20s", more: str = "") -> None:
        self.config.write_text(f'[hooks]\ndir = "{self.hooks}"\ntimeout = "{timeout}"\n{more}')

    def hook(self, name: str, body: str = "", *, mode: int = 0o755) -> Path:
        """Python; notes its begin and its end."""
        text = RECORDING.format(python=sys.executable, name=name, record=self.record, body=body)
        return self.file(name, text, mode=mode)

    def file(self, name: str, text: str, *, mode: int = 0o755) -> Path:
        new = self.folder / "new"
        new.write_text(text)
        new.chmod(mode)
        return new.rename(self.hooks / name)

    def start(self, environment: Mapping[str, str] | None = None) -> None:
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "kingd.hooks", "--config", str(self.config), "--socket", str(self.socket),
                 "--state-dir", str(self.state)],
                cwd=TOP, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, start_new_session=True,
            )  # fmt: skip

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        code = self.process.wait(60)
        self.process = None
        return code

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def rows(self) -> list[Row]:
        if not self.record.exists():
            return []
        lines = [line.split() for line in self.record.read_text().splitlines()]
        return [Row(a, b, c, int(d), int(e), f, int(g)) for a, b, c, d, e, f, g in lines]

    def told(self, hook: str | None = None) -> list[str]:
        """Events in the order in which a hook (or the only one) was told of them."""
        return [row.event for row in self.rows() if row.what == "begin" and hook in (None, row.hook)]

    def until_ended(self, event: str, *, hook: str | None = None) -> Row:
        def found() -> Row | None:
            ended = [
                row for row in self.rows() if row.what == "end" and row.event == event and hook in (None, row.hook)
            ]
            return ended[-1] if ended else None

        row = until(found, what=lambda: f"{event}: {self.rows()}\n{self.log}", limit_s=60)
        assert row is not None
        return row

    def until_logged(self, words: str, *, times: int = 1) -> None:
        until(lambda: self.log.count(words) >= times, what=lambda: f"{words!r} in\n{self.log}", limit_s=60)

    def until_true(self, condition: Callable[[], object]) -> None:
        until(condition, what=lambda: f"{self.rows()}\n{self.log}", limit_s=60)


@contextmanager
def rig_in(folder: Path, *, socket: Path | None = None) -> Iterator[Rig]:
    rig = Rig(folder, socket=socket)
    try:
        yield rig
    finally:
        if rig.process is not None:
            rig.process.kill()
            rig.process.wait()


class Kingd:
    """A fake one, whose events go to all that watch."""

    def __init__(self, fake: FakeKingd) -> None:
        self.fake = fake
        self.service = fake.service

    def emit(self, event: JsonObject) -> None:
        """It is the present state too, for who comes later."""
        self.service.present = event | {"initial": True}
        self.be(event)
        self.fake.do(lambda: self.service.emit(event))

    def be(self, event: JsonObject) -> None:
        """What `Status` says from now on."""
        said = self.service.status_is
        assert isinstance(said, dict)
        node = said["node"]
        assert isinstance(node, dict)
        self.service.status_is = said | {"node": node | {"role": event["role"]}}

    def until_watched(self) -> None:
        until(lambda: self.service.watchers, limit_s=60)

    def until_drains(self) -> None:
        until(lambda: self.service.drainers, limit_s=60)

    def drain(self, on: bool) -> None:
        self.fake.do(lambda: self.service.tell_to_drain(on))

    @property
    def drained(self) -> int:
        return sum(1 for name, _ in self.service.calls if name == "drained")


@contextmanager
def kingd_at(path: Path, present: JsonObject, status: JsonObject) -> Iterator[Kingd]:
    service = FakeService()
    service.present = present | {"initial": True}
    service.status_is = status
    with running(path, service) as fake:
        kingd = Kingd(fake)
        kingd.be(present)
        yield kingd
        assert not fake.failures


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def read_json(file: Path) -> JsonObject:
    found: JsonObject = json.loads(file.read_text())
    return found


def now_ns() -> int:
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)


def environment_with(**more: str) -> dict[str, str]:
    return {**os.environ, **more}
