"""Hooks beside real daemons: the lines of the testers' list for which a fake kingd is not enough (the others: tests/hooks/).
KINGD_HOOK_CHANGES=200 is the long form of H1."""

import os
import random
import signal
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import pytest

from tests.hooks.rig import Rig, Row, rig_in
from tests.lan.host import Host, until
from tests.lan.network import Lan

pytestmark = [pytest.mark.lan, pytest.mark.timeout(900)]

CHANGES = int(os.environ.get("KINGD_HOOK_CHANGES", "20"))
Trio = tuple[Host, Host, Host]
Rigs = tuple[Rig, Rig, Rig]

BAD = """
import random, signal, subprocess
chance = random.random()
if chance < 0.1: sys.exit(1)
if chance < 0.3: time.sleep(random.random() / 5)
if chance < 0.4: signal.signal(signal.SIGTERM, signal.SIG_IGN)
if chance < 0.5: subprocess.Popen(["setsid", "sleep", "1000"])
if 0.35 < chance < 0.45: time.sleep(1000)
"""


@pytest.fixture
def rigs(trio: Trio, tmp_path: Path) -> Iterator[Rigs]:
    """One for each host, not started."""
    with ExitStack() as stack:
        found = []
        for host in trio:
            (tmp_path / host.name).mkdir()
            found.append(stack.enter_context(rig_in(tmp_path / host.name, socket=host.socket)))
        a, b, c = found
        yield a, b, c


def start(*rigs: Rig) -> None:
    """Each has been told the state at its start, and a hand-over waits for it."""
    for rig in rigs:
        rig.start()
    for rig in rigs:
        rig.until_true(lambda rig=rig: rig.rows() and rig.rows()[-1].what == "end")  # type: ignore[misc]


def elected_ns(host: Host, since_ns: int) -> int:
    """When it says that it began to lead."""
    found = until(lambda: [each for each in host.changes(since_ns=since_ns) if each["event"] == "elected"])
    return found[0]["monotonic_ns"]


def test_h01_one_at_a_time_in_order_and_the_last_is_what_is(trio: Trio, rigs: Rigs) -> None:
    """Random hand-overs, priorities and deaths, which do not wait for hooks that hang, fail and fork."""
    for rig in rigs:
        rig.configure(timeout="500ms")
        rig.hook("10-bad", BAD)
        rig.hook("20-good")
        rig.start()
    rng = random.Random(1)
    for _ in range(CHANGES):
        host = rng.choice(trio)
        match rng.randrange(4):
            case 0:
                host.kingctl("step-down", "--for", "1s")
            case 1 | 2:
                host.kingctl("priority", str(rng.randrange(1, 1000)))
            case _:
                host.restart()
                until(lambda host=host: host.leader(), limit_s=60)  # type: ignore[misc]
    for host, rig in zip(trio, rigs, strict=True):
        rig.until_true(lambda host=host, rig=rig: _is_final(host, rig.rows()))  # type: ignore[misc]
        _judge(rig.rows())


def _is_final(host: Host, rows: Sequence[Row]) -> bool:
    status = host.status()
    done = rows and (rows[-1].what, rows[-1].hook) == ("end", "20-good")
    return bool(done) and status["leader"] is not None and rows[-1].leader == status["leader"]["name"]


def _judge(rows: Sequence[Row]) -> None:
    assert [row.at_ns for row in rows] == sorted(row.at_ns for row in rows)
    for row, following in pairwise(rows):
        if following.what == "end":
            assert (row.what, row.hook, row.seq) == ("begin", following.hook, following.seq)
    seqs = list(dict.fromkeys(row.seq for row in rows))
    assert seqs == sorted(seqs)
    begun = list(dict.fromkeys((row.seq, row.event) for row in rows))
    pairs = [event for _, event in begun if event in ("elected", "deposed")]
    assert ("elected", "elected") not in list(pairwise(pairs))


@pytest.mark.parametrize("way", ["stop", "step-down", "priority"])
def test_h06_deposed_has_ended_before_another_host_leads(trio: Trio, rigs: Rigs, way: str) -> None:
    a, b, _ = trio
    rig = rigs[0]
    rig.hook("10-slow", "\nif os.environ['KINGD_EVENT'] == 'deposed': time.sleep(1)\n")
    rig.hook("20-after")
    start(rig)
    before_ns = rig.rows()[-1].at_ns
    match way:
        case "stop":
            assert a.stop() == 0
        case "step-down":
            assert a.kingctl("step-down").returncode == 0
        case _:
            assert a.kingctl("priority", "1").returncode == 0
    ended = rig.until_ended("deposed", hook="20-after")
    assert ended.at_ns < elected_ns(b, before_ns)
    rig.until_ended("stopping" if way == "stop" else "leader-changed", hook="20-after")
    began = next(row for row in rig.rows() if row.event == "deposed")
    assert rig.told("10-slow").count("deposed") == 1
    assert ended.at_ns - began.at_ns >= 1e9


def test_h06_hook_that_hangs_delays_the_release_by_the_bound(trio: Trio, rigs: Rigs) -> None:
    a, b, _ = trio
    rig = rigs[0]
    rig.configure(timeout="2s")
    rig.hook("10-hangs", "\nif os.environ['KINGD_EVENT'] == 'deposed': time.sleep(1000)\n")
    start(rig)
    before_ns = rig.rows()[-1].at_ns
    assert a.stop() == 0
    (began,) = [row for row in rig.rows() if row.event == "deposed"]
    released_ns = elected_ns(b, before_ns) - began.at_ns
    assert (
        1.7e9 < released_ns < 15e9
    )  # the bound counts from the order, a little earlier; far from the 30 s of the daemon
    rig.until_logged("10-hangs (deposed, term")


def test_h07_sigkill_of_kingd_is_told_by_a_runner_that_lives_on(trio: Trio, rigs: Rigs) -> None:
    a, b, _ = trio
    rig, other = rigs[0], rigs[1]
    for each in (rig, other):
        each.hook("10-a")
    start(rig, other)
    a.kill()
    rig.until_ended("leader-lost")
    other.until_ended("elected")
    assert rig.told() == ["elected", "deposed", "leader-lost"]
    a.start()
    rig.until_true(lambda: rig.told().count("elected") == 2)
    assert rig.process is not None
    assert rig.process.poll() is None
    terms = [row.term for row in rig.rows() if row.event == "elected"]
    assert terms == sorted(terms)
    assert b.is_running


def test_h14_followers_hear_of_the_new_leader_and_the_survivor_of_an_overlap(lan: Lan, trio: Trio, rigs: Rigs) -> None:
    a, b, c = trio
    for rig in rigs:
        rig.hook("10-a")
    start(*rigs)
    lan.split([a], [b, c])
    lan.until_led_by("b", [b, c])
    rigs[2].until_true(lambda: rigs[2].rows()[-1].leader == "b")
    lan.heal()
    lan.until_led_by("a")
    rigs[0].until_ended("overlap-resolved")
    rigs[1].until_true(lambda: rigs[1].rows()[-1].leader == "a")
    assert [name for name in rigs[1].told() if name != "overlap-resolved"][-3:] == [
        "elected",
        "deposed",
        "leader-changed",
    ]
    rigs[2].until_true(lambda: rigs[2].rows()[-1].leader == "a")
    assert rigs[0].told() == ["elected", "overlap-resolved"]
    assert set(rigs[2].told()) <= {"leader-changed", "leader-lost"}


def test_h15_hook_is_a_child_of_the_runner_and_the_daemon_has_no_other_than_its_guardian(
    trio: Trio, rigs: Rigs
) -> None:
    a, rig = trio[0], rigs[0]
    rig.hook("10-a", f"\nopen({str(rig.folder / 'parent')!r}, 'w').write(str(os.getppid())); time.sleep(1000)\n")
    rig.start()
    rig.until_true(lambda: rig.told() and (rig.folder / "parent").exists() and (rig.folder / "parent").read_text())
    assert rig.process is not None
    assert int((rig.folder / "parent").read_text()) == rig.process.pid
    assert a.guardian  # asserts that there is no other child
    children = Path(f"/proc/{a.pid}/task/{a.pid}/children").read_text().split()
    assert children == [str(a.guardian)]
    assert rig.process.poll() is None
    rig.stop(signal.SIGKILL)
