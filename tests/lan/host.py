"""One host of a test network: a namespace, and a real daemon in it that is started, stopped, killed and asked."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from tests.lan.control import EventView, MemberView, StatusView, SurveyView, Watch, ask
from tests.lan.namespace import Namespace

T = TypeVar("T")

LIMIT_S = 20.0  # generous: what takes so long never comes
_LEADERSHIP = ("elected", "deposed", "leader-changed", "leader-lost", "overlap-resolved")
_MISTAKES = ("Traceback", "a mistake in kingd", "Assertion", "CRITICAL")
_BIN = Path(sys.executable).parent


def until(condition: Callable[[], T], *, limit_s: float = LIMIT_S, what: Callable[[], str] | str = "") -> T:
    """The first true value of `condition`; `what` says in the error what came instead."""
    deadline = time.monotonic() + limit_s
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {limit_s:g} s in vain: {what() if callable(what) else what}")
        time.sleep(0.02)
    return found


class Host:
    def __init__(self, name: str, namespace: Namespace, folder: Path, *, priority: int | None, config: str) -> None:
        """`priority` None: it is in `config`, or the default."""
        self.name = name
        self.namespace = namespace
        self.address = ""  # its IPv4 address
        self.folder = folder
        self.priority = priority
        self.state_folder = folder / "state"
        self.socket = folder / "control.sock"
        self.config = folder / "kingd.toml"
        self.wrapper: list[str] = []  # a command that runs the daemon instead
        self.process: subprocess.Popen[bytes] | None = None
        self._watches: list[Watch] = []
        folder.mkdir(parents=True)
        self.config.write_text(config, encoding="utf-8")

    # -- its life ------------------------------------------------------------------------------------------------------

    def start(self, *flags: str) -> None:
        """Does not wait for it; `flags` come after the usual ones, and so win."""
        assert self.process is None
        usual = [f"--config={self.config}", f"--state-dir={self.state_folder}", f"--socket={self.socket}"]
        usual += [f"--name={self.name}", *([] if self.priority is None else [f"--priority={self.priority}"])]
        with (self.folder / "kingd.log").open("ab") as log:
            self.process = subprocess.Popen(
                self.namespace.command(*self.wrapper, str(_BIN / "kingd"), *usual, *flags),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=_environment(),
                start_new_session=True,  # as a service has: the kernel shares the processors among sessions (sched(7))
            )  # fmt: skip

    @property
    def pid(self) -> int:
        assert self.process is not None, f"{self.name} does not run"
        return self.process.pid

    @property
    def guardian(self) -> int:
        """The process id of its guardian."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text(encoding="ascii").split()
        (pid,) = [
            pid for pid in children if Path(f"/proc/{pid}/comm").read_text(encoding="ascii") == "kingd: guardian\n"
        ]
        return int(pid)

    @property
    def is_running(self) -> bool:
        return self.process is not None

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def stop(self) -> int:
        """As systemd does. The exit code."""
        self.signal(signal.SIGTERM)
        return self.exit_code()

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.exit_code()

    def exit_code(self) -> int:
        """Wait for it to end by itself."""
        assert self.process is not None
        code = self.process.wait(LIMIT_S)
        self.process = None
        return code

    def restart(self) -> None:
        self.kill()
        self.start()

    def close(self) -> None:
        self.kill()
        for watch in self._watches:
            watch.close()

    # -- what it says --------------------------------------------------------------------------------------------------

    def status(self) -> StatusView:
        answer: StatusView = ask(self.socket, "Status")
        return answer

    def status_or_none(self) -> StatusView | None:
        """None while it does not answer: starting, ending, stopped."""
        try:
            return self.status()
        except OSError:
            return None

    def leader(self) -> str | None:
        """The name of whom it calls leader."""
        status = self.status_or_none()
        return status["leader"]["name"] if status is not None and status["leader"] is not None else None

    def role(self) -> str | None:
        status = self.status_or_none()
        return status["node"]["role"] if status is not None else None

    def problems(self) -> str:
        return "\n".join(self.status()["problems"])

    def members(self) -> dict[str, MemberView]:
        """By name."""
        rows: list[MemberView] = ask(self.socket, "Members")["members"]
        return {row["name"]: row for row in rows}

    def survey(self) -> SurveyView:
        answer: SurveyView = ask(self.socket, "Survey")
        return answer

    def events(self, *, since_ns: int = 0) -> list[EventView]:
        """Its history, as far as this process remembers; `since_ns` of CLOCK_MONOTONIC."""
        events: list[EventView] = ask(self.socket, "History")["events"]
        return [event for event in events if event["monotonic_ns"] > since_ns]

    def changes(self, *, since_ns: int = 0) -> list[EventView]:
        """Those of leadership."""
        return [event for event in self.events(since_ns=since_ns) if event["event"] in _LEADERSHIP]

    def told(self, since_ns: int = 0) -> list[str]:
        """The same, in short: "elected leader-timeout"."""
        return [f"{change['event']} {change['reason']}" for change in self.changes(since_ns=since_ns)]

    def watch(self) -> Watch:
        self._watches.append(Watch(self.socket))
        return self._watches[-1]

    def kingctl(self, *arguments: str, timeout_s: float = LIMIT_S) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [_BIN / "kingctl", *arguments], capture_output=True, text=True, timeout=timeout_s, check=False,
            env={**_environment(), "KINGCTL_SOCKET": str(self.socket)},
        )  # fmt: skip

    def kingctl_that_cannot_write(self, *arguments: str) -> "tuple[subprocess.Popen[bytes], int]":
        """Both of its streams go to a pipe that is full. With the end from which that is read: what it waits for."""
        ours, theirs = os.pipe()
        os.set_blocking(theirs, False)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(theirs, bytes(4096))
        os.set_blocking(theirs, True)  # of the pipe's end, which it shares with us
        child = subprocess.Popen(
            [_BIN / "kingctl", *arguments], stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs,
            env={**_environment(), "KINGCTL_SOCKET": str(self.socket)},
        )  # fmt: skip
        os.close(theirs)
        until(lambda: "pipe_write" in Path(f"/proc/{child.pid}/wchan").read_text(), what="kingctl waits to write")
        return child, ours

    # -- what is known of it from outside ------------------------------------------------------------------------------

    @property
    def log(self) -> str:
        file = self.folder / "kingd.log"
        return file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""

    @property
    def memory(self) -> dict[str, int]:
        """KiB by the kernel's names: Rss, Pss ..."""
        lines = Path(f"/proc/{self.pid}/smaps_rollup").read_text(encoding="ascii").splitlines()[1:]
        return {line.split(":")[0]: int(line.split()[1]) for line in lines}

    def complaints(self) -> list[str]:
        """What must never be: it ended by itself, or it found a mistake of its own."""
        found = [f"{self.name} logged {word!r}" for word in _MISTAKES if word in self.log]
        if self.process is not None and self.process.poll() is not None:
            found.append(f"{self.name} ended by itself with {self.process.returncode}")
        return found

    def summary(self) -> str:
        """One line for an error message."""
        if self.process is None:
            return f"{self.name}: does not run"
        status = self.status_or_none()
        if status is None:
            return f"{self.name}: does not answer"
        shown = {key: status[key] for key in ("term", "leader_age_ms", "reason", "members", "problems")}
        leader = status["leader"]["name"] if status["leader"] is not None else "nobody"
        return f"{self.name}: {status['node']['role']}, says that {leader} leads; {json.dumps(shown)}"


def _environment() -> dict[str, str]:
    """Ours, without what would speak to another daemon or service manager."""
    hidden = ("KINGCTL_SOCKET", "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "JOURNAL_STREAM", "INVOCATION_ID")
    return {key: value for key, value in os.environ.items() if key not in hidden}
