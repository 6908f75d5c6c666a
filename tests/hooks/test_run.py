"""The runner beside a fake kingd: one run of one hook, what it is given, and its end. From the testers' list: H4, H9 to H13."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.fake_kingd import BOX1, BOX2, event, status
from tests.hooks.rig import Kingd, Rig, changed, elected, environment_with, is_alive, read_json

pytestmark = pytest.mark.timeout(180)


FORKS = """
import signal, subprocess
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        open("{folder}/pid-double", "w").write(str(os.getpid()))
        time.sleep(1000)
    os._exit(0)
child = subprocess.Popen(["setsid", "sh", "-c", "trap '' TERM; while :; do sleep 1; done"])
open("{folder}/pid-session", "w").write(str(child.pid))
"""


def pids(rig: Rig) -> list[int]:
    rig.until_true(lambda: all(_text(rig.folder / f"pid-{name}") for name in ("double", "session")))
    return [int(_text(rig.folder / f"pid-{name}")) for name in ("double", "session")]


def _text(file: Path) -> str:
    return file.read_text() if file.exists() else ""


def test_h04_time_is_up_for_all_that_it_has_started(rig: Rig, kingd: Kingd) -> None:
    rig.configure(timeout="1s")
    rig.hook("10-hangs", FORKS.format(folder=rig.folder) + "\ntime.sleep(1000)\n")
    rig.hook("20-next")
    rig.start()
    found = pids(rig)
    rig.until_ended("leader-changed", hook="20-next")
    assert not [pid for pid in found if is_alive(pid)]
    began, after = (next(row.at_ns for row in rig.rows() if row.hook == hook) for hook in ("10-hangs", "20-next"))
    assert after - began > 1.9e9  # a second to run, a second from SIGTERM to SIGKILL
    assert "10-hangs (leader-changed, term 1): its time was up" in rig.log


def test_h04_what_holds_its_output_open_does_not_hold_the_runner(rig: Rig, kingd: Kingd) -> None:
    """It ends by itself, and what it leaves behind ends too."""
    rig.hook(
        "10-leaves",
        FORKS.format(folder=rig.folder) + f"\nwhile not os.path.exists({str(rig.folder / 'pid-double')!r}): pass\n",
    )
    rig.hook("20-next")
    rig.start()
    rig.until_ended("leader-changed", hook="20-next")
    assert not [pid for pid in pids(rig) if is_alive(pid)]
    assert "it left 2 processes behind" in rig.log or "it left 3 processes behind" in rig.log


def _mask(*signals: int) -> int:
    return sum(1 << (number - 1) for number in signals)


OF_THE_LIBRARY = _mask(32, 33)
"""posix_spawn(3) of glibc leaves the two signals ignored that are its own."""

SURROUNDINGS = """
import json
found = {{
    "environment": dict(os.environ), "arguments": sys.argv, "folder": os.getcwd(), "umask": os.umask(0),
    "descriptors": sorted(int(each) for each in os.listdir("/proc/self/fd"))[:-1],
    "status": open("/proc/self/status").read(), "input": sys.stdin.read(), "session": os.getsid(0) == os.getpid(),
    "scheduler": os.sched_getscheduler(0), "nice": os.nice(0),
}}
json.dump(found, open("{file}", "w"))
"""


def test_h09_hook_begins_clean(rig: Rig, kingd: Kingd) -> None:
    hook = rig.hook("10-a", SURROUNDINGS.format(file=rig.folder / "found"))
    foreign = ("NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID", "WATCHDOG_USEC", "CREDENTIALS_DIRECTORY", "INVOCATION_ID")
    rig.start(environment_with(**dict.fromkeys(foreign, "1"), KINGD_X="1", LANG="C.UTF-8"))
    rig.until_ended("leader-changed")
    found = read_json(rig.folder / "found")
    environment = found["environment"]
    assert isinstance(environment, dict)
    told = {key: value for key, value in environment.items() if key.startswith("KINGD_")}
    assert told == {
        "KINGD_EVENT": "leader-changed", "KINGD_ROLE": "follower", "KINGD_PREVIOUS_ROLE": "candidate",
        "KINGD_CLUSTER": "default", "KINGD_NODE_NAME": "box2", "KINGD_NODE_ID": BOX2["id"], "KINGD_PRIORITY": "200",
        "KINGD_LEADER_NAME": "box1", "KINGD_LEADER_ID": BOX1["id"], "KINGD_LEADER_ADDRESS": "10.0.0.1:5466",
        "KINGD_PREVIOUS_LEADER_NAME": "", "KINGD_TERM": "1", "KINGD_SEQ": "1", "KINGD_REASON": "leader-timeout",
        "KINGD_TIME": "2026-11-23T12:00:00.000Z",
    }  # fmt: skip
    ours = ("PATH", "LANG", "TZ", "HOME", "USER", "LOGNAME", "SHELL")
    assert not [key for key in environment if key not in (*told, *ours) and not key.startswith("LC_")]
    assert found["arguments"] == [str(hook)]
    assert (found["folder"], found["umask"], found["descriptors"], found["session"]) == ("/", 0o022, [0, 1, 2], True)
    assert (found["scheduler"], found["nice"]) == (os.SCHED_OTHER, os.nice(0))
    said = str(found["status"])
    masks = {
        line.split(":")[0]: int(line.split()[1], 16)
        for line in said.splitlines()
        if line.startswith("Sig") and "Q" not in line
    }
    assert masks["SigBlk"] == 0
    assert masks["SigIgn"] & ~(_mask(signal.SIGPIPE, signal.SIGXFSZ) | OF_THE_LIBRARY) == 0  # Python's own
    assert json.loads(str(found["input"])) == changed(1) | {"initial": True}


def test_h09_sigpipe_ends_a_hook_as_anywhere(rig: Rig, kingd: Kingd) -> None:
    """Python ignores it, and its children inherit that."""
    rig.file("10-ignored", f"#!/bin/sh\ngrep SigIgn /proc/self/status >{rig.folder}/found\n")
    rig.hook("20-b")
    rig.start()
    rig.until_ended("leader-changed")
    ignored = int((rig.folder / "found").read_text().split()[1], 16)
    assert ignored & ~OF_THE_LIBRARY == 0


def test_h10_what_is_refused_is_named_once_and_the_others_run(rig: Rig, kingd: Kingd) -> None:
    rig.hook("10-world", mode=0o757)
    rig.hook("11-group", mode=0o775)
    rig.hook("12-plain", mode=0o644)
    for name in ("13-backup~", "14.dpkg-old", ".15.swp", "README"):
        rig.hook(name)
    outside = rig.folder / "outside"
    rig.hook("16").rename(outside)
    (rig.hooks / "16-link").symlink_to(outside)
    (rig.hooks / "17-folder").mkdir()
    refused = ["10-world", "11-group", "12-plain", "13-backup~", "14.dpkg-old", ".15.swp", "16-link", "17-folder"]
    if os.geteuid() == 0:
        os.chown(rig.hook("18-owner"), 65534, -1)
        refused.append("18-owner")
    rig.hook("50-good")
    (rig.hooks / "60-inner-link").symlink_to("50-good")
    rig.start()
    kingd.until_watched()
    kingd.emit(elected(2))
    rig.until_true(lambda: rig.told().count("elected") == 2)
    assert {row.hook for row in rig.rows()} == {"50-good"}
    for name in refused:
        assert rig.log.count(f"/hooks.d/{name} is not run: ") == 1, name
    assert "README" not in rig.log


def test_h10_folder_that_others_may_write_has_no_hooks(rig: Rig, kingd: Kingd) -> None:
    rig.hook("10-a")
    rig.start()
    rig.until_ended("leader-changed")
    rig.hooks.chmod(0o777)
    kingd.emit(elected(2))
    rig.until_logged("elected, term 2, seq 2: 0 hooks")
    assert "/hooks.d is not run: none of the hooks in it is run: others than its owner may write" in rig.log
    assert "elected" not in rig.told()


def test_h11_hook_that_does_not_read_disturbs_nobody(rig: Rig, kingd: Kingd) -> None:
    rig.hook("10-closes", "\nos.close(0)\n")
    rig.hook("20-reads", f"\nopen({str(rig.folder / 'found')!r}, 'w').write(sys.stdin.read())\n")
    rig.start()
    rig.until_ended("leader-changed", hook="20-reads")
    assert json.loads((rig.folder / "found").read_text())["event"] == "leader-changed"


def test_h12_output_is_tagged_and_capped(rig: Rig, kingd: Kingd) -> None:
    rig.hook("10-says", "\nprint('well', flush=True); print('done', file=sys.stderr); sys.stdout.write('no newline')\n")
    rig.hook("20-floods", "\nos.write(1, bytes(range(256)) * 4096 * 4)\n")
    rig.hook("30-lines", "\nsys.stdout.write('y\\n' * 100_000)\n")
    rig.start()
    rig.until_ended("leader-changed", hook="30-lines")
    rig.until_logged("it says more than fits in the log", times=2)
    for words in ("well", "done", "no newline"):
        assert f"INFO kingd.hooks: 10-says (leader-changed, term 1): {words}\n" in rig.log
    assert "\0" not in rig.log
    assert len(rig.log) < 600_000
    assert rig.log.count("30-lines (leader-changed, term 1): y\n") == 500


def test_h13_notify_script_of_keepalived_is_called_as_ever(rig: Rig, kingd: Kingd) -> None:
    rig.file("10-notify.keepalived", f'#!/bin/sh\necho "$@" >>{rig.folder}/calls\n')
    rig.hook("20-b")
    rig.start()
    rig.until_ended("leader-changed")
    kingd.emit(changed(2))
    rig.until_true(lambda: rig.rows()[-1].term == 2)
    kingd.emit(elected(3))
    rig.until_ended("elected")
    kingd.service.status_is = unfit = status(role="follower", leader=BOX1)
    node = unfit["node"]
    assert isinstance(node, dict)
    node |= {"eligible": False, "ineligible_reason": "maintenance"}
    kingd.emit(changed(4, "deposed"))
    rig.until_ended("deposed")
    kingd.emit(event("stopping", role="follower", leader=BOX1, term=4, seq=5))
    rig.until_ended("stopping")
    calls = (rig.folder / "calls").read_text().splitlines()
    assert calls == [f"INSTANCE kingd {state} 200" for state in ("BACKUP", "MASTER", "FAULT", "STOP")]


def test_empty_folder_is_left_at_once(rig: Rig) -> None:
    rig.file("README", "text", mode=0o644)
    rig.start()
    assert rig.process is not None
    assert rig.process.wait(60) == 0


def test_bad_configuration_ends_with_78(rig: Rig) -> None:
    rig.config.write_text('[hooks]\ndir = "relative"\n')
    rig.start()
    assert rig.process is not None
    assert rig.process.wait(60) == 78
    assert 'hooks.dir = "relative" is not allowed: it must be an absolute path' in rig.log


NEEDLESS = (
    "asyncio",
    "ssl",
    "_ssl",
    "_hashlib",
    "click",
    "inspect",
    "subprocess",
    "tempfile",
    "shutil",
    "kingd.core.election",
    "kingd.net",
)


def test_runner_holds_nothing_needless(rig: Rig, kingd: Kingd) -> None:
    program = (
        "import sys, signal; from types import ModuleType\n"
        "from kingd.hooks.__main__ import main\n"
        "import kingd.daemon.lean as lean; lean.be_lean()\n"
        "import kingd.hooks.main\n"
        "print(*(name for name, module in sys.modules.items() if type(module) is ModuleType))"
    )
    held = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.split()
    assert "kingd.hooks.runner" in held
    assert [name for name in NEEDLESS if name in held] == []
