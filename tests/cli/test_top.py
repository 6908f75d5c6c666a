"""kingctl top on a terminal: keys, sizes, ends. What it shows is in tests/unit/test_top_view.py."""

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kingd.control.client import JsonObject
from tests.cli.fake_kingd import BOX1, FakeKingd, member, running, status
from tests.cli.runs import LIMIT_S, leads, until
from tests.cli.screens import Screen
from tests.conftest import require
from tests.tmux import KINGCTL, Tmux

pytestmark = pytest.mark.timeout(300)
Open = Callable[..., Screen]


@pytest.fixture
def opened() -> Iterator[Open]:
    screens: list[Screen] = []

    def opened(*argv: str, **options: object) -> Screen:
        screens.append(Screen(*argv, **options))  # type: ignore[arg-type]
        return screens[-1]

    yield opened
    for each in screens:
        each.close()


def kingctl(*argv: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "kingd.cli", "top", *argv]
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, env=os.environ | environment
    )


def test_keys_ask_and_only_y_hands_over(kingd: FakeKingd, opened: Open) -> None:
    screen = opened()
    screen.until("10.0.0.1:5466")
    kingd.service.answer_delay_s = 0.2
    screen.types("sss")
    screen.until("all say that box1 leads")
    assert kingd.service.surveys == 1
    screen.types("d")
    screen.until("Hand leadership of default over")
    screen.types("n")
    screen.until("not done")
    assert kingd.service.calls == []
    screen.types("dyd")  # as when text is pasted: nobody has read the question
    screen.until("y/n")
    assert kingd.service.calls == []
    screen.types("y")
    screen.until("box1 leads now")
    screen.types("m")
    screen.until("Keep box2, this node, from leading")
    screen.types("y")
    screen.until("maintenance on")
    assert kingd.service.calls == [("step_down", (None, 60_000)), ("set_maintenance", (True, None, ""))]
    screen.types("q")
    assert screen.end() == 0
    assert screen.is_as_before()


def test_filter_and_pause(kingd: FakeKingd, opened: Open) -> None:
    screen = opened()
    screen.until("box1")
    screen.types("/box2\r")
    screen.until("members 1-1 of 1 · 2 in all, filter: box2")
    screen.types("p")
    screen.until("PAUSED")
    answered = kingd.service.answered
    screen.types("\x1b")
    screen.until("── members ──")
    assert kingd.service.answered <= answered + 1  # what was under way
    kingd.service.status_is = leads(term=77)
    screen.types("p")
    screen.until("term 77")


def crowd(count: int) -> list[JsonObject]:
    boxes = [{**BOX1, "id": f"{i:016x}", "name": f"host-{i:03}"} for i in range(count)]
    return [member(box, role="follower", last_heard_ms=20) for box in boxes]


def test_window_of_another_size_is_filled(kingd: FakeKingd, opened: Open) -> None:
    kingd.service.members_are = {"version": 1, "members": crowd(450)}
    screen = opened(COLUMNS="80", LINES="24")  # what the shell had said is old
    screen.until("of 450")
    screen.resize(19, 5)
    screen.until("too small")
    screen.resize(200, 50)
    screen.until("host-030")
    screen.types("\x1b[F")
    screen.until("host-449")
    screen.types("q")
    assert screen.end() == 0


@pytest.mark.parametrize(("width", "height"), [(80, 24), (200, 50)])
def test_crowd_of_450_members_in_tmux(kingd: FakeKingd, tmp_path: Path, width: int, height: int) -> None:
    require(shutil.which("tmux"), "a terminal to look at needs tmux (Debian: tmux)")
    kingd.service.members_are = {"version": 1, "members": crowd(450)}
    tmux = Tmux(tmp_path / "tmux", width, height, str(KINGCTL), f"--socket={kingd.path}", "top")
    try:
        tmux.shows(r"450 in all|of 450", "host-000")
        tmux.keys("End")
        tmux.shows("host-449")
        tmux.keys("/", "host-4", "Enter")
        tmux.shows(r"450 in all, filter: host-4", "host-400")
        tmux.keys("q")
        until(tmux.has_ended)
    finally:
        tmux.close()


def test_daemon_is_asked_twice_a_second_at_most(kingd: FakeKingd, opened: Open) -> None:
    asked_s: list[float] = []
    kingd.service.on_status = lambda: asked_s.append(time.monotonic())
    screen = opened()
    screen.until("box1")
    screen.types("/x\x7f\x1b\x1b[B\x1b[Apsp" * 20)
    until(lambda: len(asked_s) >= 5)
    pauses_s = [later - earlier for earlier, later in itertools.pairwise(asked_s[1:])]  # the first: is there a daemon?
    assert min(pauses_s) >= 0.5


@pytest.mark.parametrize("name", ["TERM", "HUP", "INT"])
def test_signal_ends_it_and_leaves_the_terminal_as_it_was(name: str, kingd: FakeKingd, opened: Open) -> None:
    number = signal.Signals[f"SIG{name}"]
    screen = opened()
    screen.until("box1")
    if name == "INT":
        screen.types("\x03")
    else:
        screen.process.send_signal(number)
    assert screen.end() == 128 + number
    assert screen.is_as_before()


@pytest.mark.parametrize("nohup", [False, True])
def test_terminal_that_is_gone_ends_it(nohup: bool, kingd: FakeKingd, opened: Open) -> None:
    """Also where nobody says so: what it writes fails then, and what it reads has an end."""
    screen = opened(nohup=nohup)
    screen.until("box1")
    screen.hang_up()
    assert screen.end() == 128 + signal.SIGHUP


def test_control_z_gives_the_terminal_back_and_cont_takes_it_again(kingd: FakeKingd, opened: Open) -> None:
    screen = opened()
    screen.until("box1")
    screen.types("\x1a")
    until(lambda: Path(f"/proc/{screen.process.pid}/stat").read_text().rpartition(") ")[2][0] == "T")
    screen.types("")
    assert screen.is_as_before()
    screen.process.send_signal(signal.SIGCONT)
    screen.until("box1")
    screen.types("q")
    assert screen.end() == 0
    assert screen.is_as_before()


def test_restart_of_the_daemon_is_survived(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened: Open) -> None:
    socket = tmp_path / "control.sock"
    monkeypatch.setenv("KINGCTL_SOCKET", str(socket))
    with running(socket):
        screen = opened()
        screen.until("box1")
    screen.until("no answer since")
    screen.until("not known")  # in the strip of terms
    with running(socket) as other:
        other.service.status_is = status(role="follower", leader=BOX1, term=78)
        screen.until("term 78")
        until(lambda: other.service.watchers)
    screen.types("q")
    assert screen.end() == 0


def test_nothing_that_another_host_said_is_obeyed(kingd: FakeKingd, opened: Open) -> None:
    name = "evil\x1b]0;owned\x07\x9b2J"
    kingd.service.members_are = {
        "version": 1,
        "members": [member({**BOX1, "name": name}, role="leader", last_heard_ms=1)],
    }
    kingd.service.status_is = status(role="follower", leader={**BOX1, "name": name}, problems=[name])
    screen = opened()
    screen.until("evil\ufffd]0;owned\ufffd\ufffd2J")
    screen.types("q")
    assert screen.end() == 0
    assert "\x1b]" not in screen.output
    assert "\x9b" not in screen.output


def test_no_color_means_no_colour(kingd: FakeKingd, opened: Open) -> None:
    for environment, has_colour in (({}, True), ({"NO_COLOR": "1"}, False)):
        screen = opened(**environment)
        screen.until("box1")
        screen.types("q")
        assert screen.end() == 0
        assert ("\x1b[1;32m" in screen.output) is has_colour


def test_without_a_terminal_that_can_do_it_the_error_says_what_can(kingd: FakeKingd, opened: Open) -> None:
    run = kingctl()
    assert (run.returncode, run.stdout) == (2, "")
    assert "top: it needs a terminal; kingctl top --once" in run.stderr
    screen = opened(TERM="dumb")
    assert screen.end() == 2
    assert "TERM=dumb" in screen.text


def test_once_prints_one_screen(kingd: FakeKingd) -> None:
    run = kingctl("--once", LC_ALL="C.UTF-8")
    assert (run.returncode, run.stderr) == (0, "")
    assert [line.split()[0] for line in run.stdout.splitlines() if line][:3] == ["default", "leader", "here"]
    assert "\x1b" not in run.stdout
    assert "■" in run.stdout
    old = kingctl("--once", PYTHONIOENCODING="latin-1")
    assert old.returncode == 0
    assert "■" not in old.stdout


def test_json_is_the_answers_one_object_a_line(kingd: FakeKingd) -> None:
    run = kingctl("--json", "--once")
    shown = json.loads(run.stdout)
    assert (run.returncode, run.stdout.count("\n")) == (0, 1)
    assert (shown["version"], shown["no_answer"]) == (1, None)
    assert shown["status"] == kingd.service.status_is
    assert shown["members"] == kingd.service.members_are["members"]


def test_json_goes_on_without_a_daemon_and_ends_with_its_reader(tmp_path: Path) -> None:
    socket = tmp_path / "control.sock"
    command = [sys.executable, "-m", "kingd.cli", "--socket", str(socket), "top", "--json"]
    with running(socket):
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["no_answer"] is None
    while json.loads(process.stdout.readline())["no_answer"] is None:
        pass
    process.stdout.close()
    assert process.wait(LIMIT_S) == -signal.SIGPIPE


@pytest.mark.parametrize("argv", [(), ("--json",)])
def test_daemon_that_does_not_run_is_told_on_the_screen_that_one_has(
    argv: tuple[str, ...], tmp_path: Path, opened: Open
) -> None:
    screen = opened(*argv, "--socket", str(tmp_path / "none.sock"))
    assert screen.end() == 3
    assert "kingd is not running" in screen.text
    assert "\x1b[?1049h" not in screen.output


def test_package_that_is_missing_is_named(kingd: FakeKingd) -> None:
    program = "import sys; sys.modules['rich'] = None; from kingd.cli.main import main; sys.exit(main())"
    command = [sys.executable, "-c", program, "top"]
    run = subprocess.run([*command, "--once"], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout) == (1, "")
    assert "apt install python3-rich" in run.stderr
    run = subprocess.run([*command, "--json", "--once"], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")
