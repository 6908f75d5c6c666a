"""The process that runs `[check]`: what the daemon is told of it, and that nothing of a command that hangs is left."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from kingd.check import runner as module
from kingd.check.runner import LastLine, Runner, failure
from kingd.check.teller import Teller
from kingd.config import Config
from kingd.config.keys import Check
from kingd.hooks import descendants
from kingd.hooks.hook import Ended
from tests.cli.fake_kingd import FakeKingd, running

PATIENCE_S = 20
TOP = Path(__file__).parents[2]
FAST = 'interval = "100ms"\ntimeout = "10s"\nrise = 2\nfall = 3\n'


def until(holds: Callable[[], bool]) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end_s
        time.sleep(0.02)


@dataclass
class Rig:
    folder: Path
    kingd: FakeKingd
    process: subprocess.Popen[str] | None = None
    runs: Path = field(init=False)
    socket: Path = field(init=False)

    def __post_init__(self) -> None:
        self.runs = self.folder / "runs"
        self.runs.touch()
        self.socket = self.kingd.path

    def configure(self, script: str, keys: str = FAST) -> None:
        """`script`: of sh, with $F for the folder."""
        program = self.folder / "check.sh"
        program.write_text(f"#!/bin/sh\nF={self.folder}\necho >>$F/runs\n{script}\n")
        program.chmod(0o755)
        (self.folder / "kingd.toml").write_text(f'[check]\ncommand = ["{program}"]\n{keys}')

    def start(self, **more: str) -> None:
        options = ("--config", str(self.folder / "kingd.toml"), "--socket", str(self.socket))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "kingd.check", *options],
            cwd=TOP, env={**os.environ, **more}, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def said(self) -> list[str | None]:
        """What the daemon was told, without what only renews it."""
        words = [
            value[1] for name, value in self.kingd.service.calls if name == "set_fitness" and isinstance(value, tuple)
        ]
        return [word for n, word in enumerate(words) if n == 0 or word != words[n - 1]]

    def has_run(self) -> int:
        return len(self.runs.read_text())

    def end(self) -> str:
        assert self.process is not None
        self.process.terminate()
        return self.ended()

    def ended(self) -> str:
        """Its words."""
        assert self.process is not None
        _, words = self.process.communicate(timeout=PATIENCE_S)
        assert self.process.returncode == 0, words
        return words


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with running(tmp_path / "control.sock") as kingd:
        found = Rig(tmp_path, kingd)
        yield found
        if found.process is not None and found.process.poll() is None:
            found.process.kill()
            found.process.communicate()


def test_first_answer_is_told_at_once_and_a_failure_when_it_has_come_often_enough(rig: Rig) -> None:
    rig.configure('echo "disk is full" >&2; test ! -e $F/broken', FAST.replace("fall = 3", "fall = 4"))
    rig.start()
    until(lambda: rig.said() == [None])
    before = rig.has_run()
    (rig.folder / "broken").touch()
    until(lambda: len(rig.said()) == 2)
    assert rig.said()[-1] == "exit code 1: disk is full"
    assert rig.has_run() - before >= 4
    (rig.folder / "broken").unlink()
    until(lambda: rig.said() == [None, "exit code 1: disk is full", None])
    words = rig.end()
    assert words.count("exit code 1: disk is full") == 2  # once as it began, once as it counted


def test_reason_of_a_check_that_talks_a_lot_is_its_last_line(rig: Rig) -> None:
    rig.configure("yes 'all is well so far' | head -c 300000; echo; echo disk is full; exit 1")
    rig.start()
    until(lambda: rig.said() == ["exit code 1: disk is full"])
    assert "more than fits" not in rig.end()


@pytest.mark.parametrize(
    ("data", "line"),
    [
        ([], ""),
        ([b"one\ntw", b"o \n", b" \n"], "two"),
        ([b"x" * 3000 + b"\n", b"last"], "last"),
        ([b"\xff\n"], "\N{REPLACEMENT CHARACTER}"),
    ],
)
def test_last_line(data: list[bytes], line: str) -> None:
    output = LastLine()
    for each in data:
        output.take(each)
    output.end()
    assert output.line == line


def test_word_counts_as_long_as_the_check_may_take_and_a_little_more(rig: Rig) -> None:
    rig.configure("exit 0")
    rig.start()
    until(lambda: bool(rig.said()))
    assert rig.kingd.service.calls[0] == ("set_fitness", ("check", None, 20_000))
    rig.end()


def test_command_that_hangs_has_failed_and_all_that_it_started_is_ended(rig: Rig) -> None:
    mark = f"31{os.getpid()}"
    rig.configure(
        f"trap '' TERM; setsid sh -c 'trap \"\" TERM; sleep {mark} & sleep {mark}' & sleep {mark}",
        FAST.replace("10s", "300ms"),
    )
    rig.start()
    until(lambda: rig.said() == ["no answer within 0.3 s"])
    until(lambda: rig.has_run() >= 2)
    rig.end()
    assert [each for each in Path("/proc").glob("[0-9]*/cmdline") if mark.encode() in words_of(each)] == []


def words_of(command_line: Path) -> bytes:
    try:
        return command_line.read_bytes()
    except OSError:
        return b""


def test_end_does_not_wait_for_a_command(rig: Rig) -> None:
    rig.configure("sleep 1000", FAST.replace("10s", "5m"))
    rig.start()
    until(lambda: rig.has_run() == 1)
    rig.end()


def test_reload_of_the_daemon_brings_another_command_and_the_verdict_stays(rig: Rig) -> None:
    rig.configure("exit 0", FAST.replace("100ms", "1h"))
    rig.start()
    until(lambda: rig.said() == [None])
    rig.configure("exit 7", FAST.replace("fall = 3", "fall = 1"))
    rig.kingd.do(lambda: setattr(rig.kingd.service, "reloads", 1))
    until(lambda: rig.said() == [None, "exit code 7"])
    (rig.folder / "kingd.toml").write_text("")
    rig.kingd.do(lambda: setattr(rig.kingd.service, "reloads", 2))
    rig.ended()  # there is nothing to check any more


def test_daemon_that_comes_later_is_told_at_once(rig: Rig, tmp_path: Path) -> None:
    rig.configure("exit 0", FAST.replace("100ms", "1h"))
    rig.socket = tmp_path / "late.sock"
    rig.start()
    until(lambda: rig.has_run() == 1)
    with running(rig.socket) as rig.kingd:
        until(lambda: rig.said() == [None])
        rig.end()


def test_what_another_user_could_have_written_is_not_run(rig: Rig) -> None:
    rig.configure("exit 0")
    (rig.folder / "check.sh").chmod(0o777)
    rig.start()
    until(lambda: bool(rig.said()))
    assert "others than its owner may write to it" in str(rig.said()[0])
    assert rig.has_run() == 0
    rig.end()


def test_what_another_user_could_put_in_its_place_is_not_run(rig: Rig) -> None:
    rig.configure("exit 0")
    rig.folder.chmod(0o777)
    rig.start()
    until(lambda: bool(rig.said()))
    assert f"{rig.folder}, in which it is: others" in str(rig.said()[0])
    assert rig.has_run() == 0
    rig.end()


@pytest.mark.parametrize(
    ("toml", "argv", "code", "words"),
    [
        ("", (), 0, ""),
        ("[check]\ncommand = 7", (), 78, "check.command = 7 is not allowed"),
        ("", ("--nonsense",), 2, "usage: check"),
    ],
)
def test_nothing_to_check_and_what_cannot_be_read(
    tmp_path: Path, toml: str, argv: tuple[str, ...], code: int, words: str
) -> None:
    file = tmp_path / "kingd.toml"
    file.write_text(toml)
    done = subprocess.run(
        [sys.executable, "-m", "kingd.check", "--config", str(file), *argv],
        cwd=TOP, capture_output=True, text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip
    assert (done.returncode, words in done.stderr) == (code, True)


def test_it_ends_with_the_daemon_that_started_it(rig: Rig) -> None:
    rig.configure("exit 0")
    rig.start(KINGD_CHECK_PARENT="1")  # who has died before we could ask to be told
    rig.ended()
    assert rig.has_run() == 0


@pytest.mark.parametrize(
    ("ended", "why"),
    [
        (Ended(code=0), ""),
        (Ended(code=0, had_left=2), ""),
        (Ended(code=3), "exit code 3: so"),
        (Ended(code=-signal.SIGSEGV), "signal 11: so"),
        (Ended(code=None), "no answer within 2 s: so"),
        (Ended(code=0, remain=(12,)), ""),
        (Ended(code=3, remain=(12,)), "exit code 3: so"),
        (Ended(why_not="there is no such program"), "it cannot be run: there is no such program"),
    ],
)
def test_failure_in_words(ended: Ended, why: str) -> None:
    assert failure(ended, timeout_s=2, said="so") == why


def test_no_further_run_as_long_as_one_cannot_be_ended(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As of a process in the kernel's hands, which no test can make."""
    told: list[str | None] = []
    runs = [Ended(code=0, remain=(12,)), Ended(code=1)]
    left = [[], [12], [12], []]
    monkeypatch.setattr(module, "carry_out", lambda _run, **_more: runs.pop(0))
    monkeypatch.setattr(descendants, "kill_again", lambda: left.pop(0))
    monkeypatch.setattr(Teller, "tell", lambda _self, unfit, **_more: told.append(unfit))
    config = Config(check=Check(command=("true",), fall=1))
    runner = Runner("nowhere", config, reread=lambda: config)
    for _ in range(3):
        runner.once()
    assert (told, len(runs)) == ([None], 1)
    assert caplog.text.count("even SIGKILL did not end 12") == 1
    runner.once()
    assert (told, len(runs)) == ([None, "exit code 1"], 0)
    assert "it is run again" in caplog.text


def test_what_is_still_there_is_killed_again() -> None:
    """By a process of its own, for all that is below the one that asks is killed."""
    words = "import subprocess, time; from kingd.hooks import descendants; subprocess.Popen(['sleep', '1000'])\n"
    words += "while descendants.kill_again(): time.sleep(0.01)"
    subprocess.run([sys.executable, "-c", words], cwd=TOP, timeout=PATIENCE_S, check=True)


def restarted(rig: Rig, script: str, **more: str) -> None:
    """By another process, with another outcome of each run."""
    rig.end()
    rig.kingd.service.calls.clear()
    rig.configure(script)
    rig.start(**more)


@pytest.mark.parametrize(("first", "then"), [("true", "echo broken; exit 1"), ("echo broken; exit 1", "true")])
def test_restart_counts_on(rig: Rig, first: str, then: str) -> None:
    """The first run of the new process decided by itself: one failure moved leadership."""
    words = {"true": None, "echo broken; exit 1": "exit code 1: broken"}
    rig.configure(first)
    rig.start(RUNTIME_DIRECTORY=str(rig.folder))
    until(lambda: rig.said() == [words[first]])
    before = rig.has_run()
    restarted(rig, then, RUNTIME_DIRECTORY=str(rig.folder))
    until(lambda: rig.said() == [words[first], words[then]])
    assert rig.has_run() - before >= 2


def test_restart_without_a_folder_or_for_another_kingd_begins_anew(rig: Rig) -> None:
    rig.configure("true")
    rig.start(RUNTIME_DIRECTORY=str(rig.folder))
    until(lambda: rig.said() == [None])
    restarted(rig, "exit 1")
    until(lambda: rig.said() == ["exit code 1"])
    kept = rig.folder / "verdict.json"
    kept.write_text(kept.read_text().replace(f'"daemon": {os.getpid()}', '"daemon": 1'))
    restarted(rig, "exit 1", RUNTIME_DIRECTORY=str(rig.folder))
    until(lambda: rig.said() == ["exit code 1"])
