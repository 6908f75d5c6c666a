"""The helper behind kingd-leader.service: keeps kingd-leader.target started while this host leads.

In: what the daemon answers to Status over its control socket; Watch only says when to ask. Out: `systemctl start` of
the target, and `systemctl stop` of it and of all that it wants, for a unit with no more than WantedBy= must end too.

The rules are in `Tenure`: it starts late (the former leader's units may still be stopping) and stops early (at the
first no, or when nobody has said yes for a while: a hung daemon cannot say that it was deposed). When systemd stops
this process it waits until the units have ended, and systemd stops kingd only after that, so a planned stop releases
leadership last. Not promised: that two parts of a LAN that is cut do not each run the units (docs/protocol.md 1).
"""

import logging
import os
import select
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from enum import Enum

from kingd.config import DEFAULT_FILE, PROFILES, ConfigError, load
from kingd.control.answer import section, section_or_none, text
from kingd.control.client import DaemonNotRunning, JsonObject, KingdError, Line, stream
from kingd.control.target import DEFAULT_SOCKET
from kingd.daemon import systemd
from kingd.daemon.clock import now_us
from kingd.daemon.log import set_up

TARGET = "kingd-leader.target"
HELPER = "kingd-leader.service"
_SECOND = 1_000_000
_IDLE_US = 1 * _SECOND  # without news; well below WatchdogSec=
_AGAIN_S = 0.2

_log = logging.getLogger("kingd.leader-target")


class View(Enum):
    """What the daemon says when it is asked."""

    LEADS = "this host leads"
    FOLLOWS = "this host does not lead"
    UNSURE = "the daemon gave no clear answer"
    GONE = "the daemon is not running"


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """Measured in leader timeouts: after one of them the others elect somebody else, at the earliest."""

    ask_us: int
    limit_us: int  # of the age of the last yes
    settle_us: int  # of uninterrupted leadership before the target is started

    @classmethod
    def of(cls, leader_timeout_us: int) -> "Times":
        return cls(
            ask_us=max(leader_timeout_us // 4, 50_000),
            limit_us=max(2 * leader_timeout_us, _SECOND),
            settle_us=max(3 * leader_timeout_us, _SECOND * 3 // 2),
        )


class Tenure:
    """Whether the target is to be up, from what the daemon said and when it was asked. Knows no clock."""

    def __init__(self, times: Times) -> None:
        self.times = times
        self._since_us: int | None = None
        self._confirmed_us = 0
        self._settled = False

    @property
    def is_leading(self) -> bool:
        return self._since_us is not None

    def note(self, view: View, *, asked_us: int) -> None:
        """`asked_us`: when the question went out, for the answer is as old as that."""
        if view is View.LEADS:
            self.expire(now_us=asked_us)
            self._since_us = asked_us if self._since_us is None else self._since_us
            self._confirmed_us = asked_us
            self._settled = self._settled or asked_us - self._since_us >= self.times.settle_us
        elif view is not View.UNSURE:
            self._since_us, self._settled = None, False

    def expire(self, *, now_us: int) -> None:
        if self._since_us is not None and now_us - self._confirmed_us > self.times.limit_us:
            self._since_us, self._settled = None, False

    def is_up(self, *, now_us: int) -> bool:
        self.expire(now_us=now_us)
        return self._settled

    def patience_us(self, *, now_us: int) -> int:
        """How long an answer may take before it makes no difference any more."""
        left_us = self._confirmed_us + self.times.limit_us - now_us
        return max(left_us, 1_000) if self.is_leading else self.times.limit_us


class Helper:
    def __init__(self, socket: str, times: Times) -> None:
        self._socket = socket
        self._line = Line(socket)  # one place, for good: no other user's clients are before us
        self._tenure = Tenure(times)
        self._is_started = False
        self._stop_asked = False
        self._woken, self._waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def run(self) -> None:
        """Until SIGTERM. An exception ends the process; ExecStopPost= then stops what is started."""
        signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)
        threading.Thread(target=self._listen, daemon=True).start()
        systemd.ready("waiting for leadership")
        while not self._stop_asked:
            self._follow()
            systemd.watchdog()
            select.select([self._woken], [], [], self._pause_us() / _SECOND)
            self._drain()
        systemd.stopping()
        if self._is_started:
            # If the daemon is dead there is no leadership to hold on to, and nothing to wait for.
            self._stop("stopping", wait=self._ask() is View.LEADS)

    def _on_signal(self, number: int, frame: object) -> None:
        self._stop_asked = True

    def _listen(self) -> None:
        """Any change, and the end of the daemon, wakes the loop. It asks for itself what is true."""
        while True:
            try:
                for _ in stream(self._socket, "Watch"):
                    self._wake()
            except KingdError:
                self._wake()
                time.sleep(_AGAIN_S)

    def _wake(self) -> None:
        try:
            os.write(self._waker, b".")
        except BlockingIOError:  # it will wake anyway
            return

    def _drain(self) -> None:
        try:
            os.read(self._woken, 4096)
        except BlockingIOError:
            return

    def _pause_us(self) -> int:
        return self._tenure.times.ask_us if self._tenure.is_leading else _IDLE_US

    def _follow(self) -> None:
        view = self._ask()
        should_run = self._tenure.is_up(now_us=now_us())
        if should_run and not self._is_started:
            self._start()
        elif self._is_started and not should_run:
            self._stop(view.value, wait=False)

    def _ask(self) -> View:
        asked_us = now_us()
        view = _view(self._line, timeout_s=self._tenure.patience_us(now_us=asked_us) / _SECOND)
        self._tenure.note(view, asked_us=asked_us)
        return view

    def _start(self) -> None:
        _log.info("this host leads: starting %s", TARGET)
        systemctl("start", "--no-block", TARGET)
        self._is_started = True
        systemd.status(f"{TARGET} is started")

    def _stop(self, why: str, *, wait: bool) -> None:
        _log.info("stopping %s: %s", TARGET, why)
        release(wait=wait)
        self._is_started = False
        systemd.status("waiting for leadership")


def _view(line: Line, *, timeout_s: float) -> View:
    try:
        return judge(line.call("Status", timeout_s=timeout_s))
    except DaemonNotRunning:
        return View.GONE
    except KingdError:
        return View.UNSURE


def judge(status: JsonObject) -> View:
    """A leader that stalled for a moment says so by naming nobody: that is no answer yet."""
    node, leader = section(status, "node"), section_or_none(status, "leader")
    if text(node, "role") != "leader":
        return View.FOLLOWS
    return View.LEADS if leader is not None and leader.get("id") == node.get("id") else View.UNSURE


def release(*, wait: bool) -> None:
    units = [TARGET, *wanted(systemctl("show", *(f"--property={name}" for name in _PULLED), TARGET))]
    systemctl("stop", *([] if wait else ["--no-block"]), *units)


# What starts or stops with a target, all to be named: what only says WantedBy= is not stopped with it by systemd, and
# for what says PartOf= `systemctl stop` does not wait.
_PULLED = ("Wants", "Requires", "BindsTo", "ConsistsOf", "RequiredBy", "BoundBy")


def wanted(shown: str) -> list[str]:
    """The units in the answer of `systemctl show`."""
    names = {name for line in shown.splitlines() for name in line.partition("=")[2].split()}
    return sorted(names - {HELPER, TARGET})


def systemctl(*arguments: str) -> str:
    """What it printed. CalledProcessError ends this process, and systemd starts the next one."""
    return subprocess.run(["/usr/bin/systemctl", *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout


def main() -> int:
    arguments = sys.argv[1:]
    if arguments == ["--release"]:
        release(wait=False)
        return 0
    if arguments:
        sys.exit("usage: leader-target [--release]")
    set_up("info", "auto")
    socket, leader_timeout_us = DEFAULT_SOCKET, PROFILES["lan"][1]
    try:
        config = load(main=DEFAULT_FILE, explicit=False, overrides={})
        socket, leader_timeout_us = str(config.control.socket), config.timing.leader_timeout_us
    except ConfigError as error:  # kingd will not start with it either, or runs on with what it read before
        _log.warning("going by the defaults: %s", error)
    Helper(socket, Times.of(leader_timeout_us)).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
