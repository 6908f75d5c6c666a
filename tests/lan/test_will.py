"""The last will: a daemon that dies is known to be dead at once, and one that lives is not. docs/protocol.md 4.7.

The leader timeout is long here, and no host tells that a port is closed, where a test does not say otherwise: what happens
is the will's doing, then, and nothing else's.
"""

import os
import signal
import time

import pytest

from tests.lan.host import Host, until
from tests.lan.network import MULTICAST, Lan
from tests.lan.test_keys import FIRST, SECOND, configure

pytestmark = pytest.mark.lan

PATIENT = "[timing]\nleader_timeout = '3s'\n"
Trio = tuple[Host, Host, Host]


@pytest.fixture
def silent(lan: Lan) -> Lan:
    lan.drop("ip protocol icmp")
    lan.drop("icmpv6 type destination-unreachable")
    return lan


@pytest.fixture
def patient(silent: Lan) -> Trio:
    return silent.trio(config=PATIENT)


def until_gone(pid: int) -> None:
    def is_gone() -> bool:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        return False

    until(is_gone, what=f"process {pid} to end")


def test_075_sigkill_will(lan: Lan, patient: Trio) -> None:
    """The next in rank leads, above the old term; both call the dead one dead; the guardian ends too."""
    a, b, c = patient
    before, guardian = a.status()["term"], a.guardian
    killed_ns = time.monotonic_ns()
    a.kill()
    assert lan.until_led_by("b") > before
    assert b.told(killed_ns) == ["leader-lost leader-crashed", "elected leader-crashed"]
    assert c.told(killed_ns)[-1] == "leader-changed leader-crashed"
    assert b.members()["a"]["state"] == "dead"
    until_gone(guardian)
    a.start()
    lan.until_led_by("a")
    lan.until_complete()


def test_075_one_that_hears_of_it_is_enough(lan: Lan, patient: Trio) -> None:
    """Nothing of the obituary reaches c: the claim of b says it all."""
    a, b, c = patient
    lan.cut([a], [c])
    killed_ns = time.monotonic_ns()
    a.kill()
    lan.until_led_by("b")
    assert c.told(killed_ns)[-1] == "leader-changed leader-crashed"
    assert b.told(killed_ns)[-1] == "elected leader-crashed"


def test_075_where_multicast_does_not_pass(lan: Lan, patient: Trio) -> None:
    a, b, _ = patient
    lan.drop(MULTICAST)
    a.kill()
    until(lambda: b.role() == "leader", what=b.summary)
    assert b.changes()[-1]["reason"] == "leader-crashed"


def test_075_without_ipv4(silent: Lan) -> None:
    lan = silent
    a, b, c = lan.ranked(3, address=None)
    lan.start()
    lan.until_led_by("a")
    lan.until_complete()
    a.kill()
    lan.until_led_by("b", [b, c])
    assert b.changes()[-1]["reason"] == "leader-crashed"


def test_075_signed_with_the_key_of_now(silent: Lan) -> None:
    """Written anew when the key is another one: nobody would believe the old one."""
    lan = silent
    a, b, c = hosts = lan.ranked(3)
    for host in hosts:
        configure(host, "enforce", FIRST)
    lan.start()
    lan.until_led_by("a")
    for keys in ([FIRST, SECOND], [SECOND, FIRST], [SECOND]):
        for host in hosts:
            configure(host, "enforce", *keys)
            assert host.kingctl("reload").returncode == 0
    lan.until_led_by("a")
    a.kill()
    lan.until_led_by("b", [b, c])
    assert b.changes()[-1]["reason"] == "leader-crashed"


def test_075_a_follower_that_dies_is_dead_at_once_and_changes_nothing(lan: Lan, patient: Trio) -> None:
    a, b, c = patient
    since_ns = time.monotonic_ns()
    c.kill()
    until(lambda: {host.members()["c"]["state"] for host in (a, b)} == {"dead"}, what=a.summary)
    dead = [event for event in a.events(since_ns=since_ns) if event["event"] == "member-dead"]
    assert [event["reason"] for event in dead] == ["leader-crashed"]
    assert not lan.changes(since_ns)


def test_076_kill_cgroup(lan: Lan) -> None:
    """The guardian dies with its daemon: the port that refuses is what is left."""
    a, b, _ = lan.trio(config=PATIENT)
    os.kill(a.guardian, signal.SIGKILL)
    a.kill()
    lan.until_led_by("b")
    assert b.changes()[-1]["reason"] == "leader-crashed"


def test_076_kill_cgroup_where_nothing_refuses(lan: Lan, trio: Trio) -> None:
    """As when the host has died: the leader timeout is what is left."""
    a, b, _ = trio
    os.kill(a.guardian, signal.SIGKILL)
    lan.power_off(a)
    lan.until_led_by("b", [b])
    assert b.changes()[-1]["reason"] == "leader-timeout"


def test_076_guardian_alone_killed_is_told_and_changes_nothing(lan: Lan, patient: Trio) -> None:
    a, _, _ = patient
    since_ns = time.monotonic_ns()
    guardian = a.guardian
    os.kill(guardian, signal.SIGKILL)
    until(lambda: "has no guardian process" in a.problems(), what=a.summary)
    until_gone(guardian)  # no zombie
    assert not lan.changes(since_ns)
    assert a.stop() == 0


def test_076_guardian_takes_no_signal_and_ends_with_a_planned_stop(lan: Lan, patient: Trio) -> None:
    """systemd sends SIGTERM to both, and SIGABRT when its watchdog bites."""
    a, b, _ = patient
    guardian = a.guardian
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGABRT):
        os.kill(guardian, number)
    stopped_ns = time.monotonic_ns()
    assert a.stop() == 0
    until_gone(guardian)
    lan.until_led_by("b")
    assert b.told(stopped_ns) == ["elected leader-left"]


def test_078_stopped_process_is_not_dead(lan: Lan, patient: Trio) -> None:
    """SIGSTOP, SIGCONT: the process lives, and so no obituary is sent."""
    a, b, c = patient
    since_ns = time.monotonic_ns()
    a.signal(signal.SIGSTOP)
    time.sleep(0.5)
    a.signal(signal.SIGCONT)
    lan.until_led_by("a")
    assert not lan.changes(since_ns, [b, c])
