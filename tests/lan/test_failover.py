"""Who leads when hosts come and go: the right one, in the eyes of every host, told once."""

import signal
import time

import pytest

from tests.lan.control import EventView
from tests.lan.host import Host, until
from tests.lan.network import Lan

pytestmark = pytest.mark.lan
Trio = tuple[Host, Host, Host]


def kinds(changes: list[EventView]) -> list[str]:
    return [change["event"] for change in changes]


def test_cold_start_every_host_names_the_highest_priority(trio: Trio) -> None:
    """Three hosts without configuration but a name and a priority: `kingctl leader` prints the same on each."""
    assert [host.kingctl("leader").stdout for host in trio] == ["a\n"] * 3
    for host in trio:
        status = host.status()
        assert (status["cluster"], status["mode"], status["problems"]) == ("default", "availability", [])
        assert status["members"] == {"alive": 3, "dead": 0}
        assert [(row["name"], row["priority"], row["state"]) for row in host.members().values()] == [
            ("a", 30, "alive"),
            ("b", 20, "alive"),
            ("c", 10, "alive"),
        ]


def test_057_incremental_join_never_two_leaders(lan: Lan) -> None:
    """Hosts come one by one, each outranked by those that are there: nobody but the first is ever elected."""
    hosts = lan.ranked(5)
    for host in hosts:
        host.start()
        lan.until_led_by("a")
    lan.until_complete()
    assert [kinds(host.changes()) for host in hosts] == [["elected"], *[["leader-changed"]] * 4]


def test_059_late_join_the_highest_comes_last(lan: Lan) -> None:
    """A newcomer that outranks the leader takes over by a hand-over: the others are told once, and never of a loss."""
    b, c = lan.host("b", priority=20), lan.host("c", priority=10)
    lan.start(b, c)
    before = lan.until_led_by("b")
    a = lan.host("a", priority=30)
    start_ns = time.monotonic_ns()
    a.start()
    assert lan.until_led_by("a") > before
    assert c.told(start_ns) == ["leader-changed higher-priority"]
    assert b.told(start_ns) == ["deposed preempted", "leader-changed higher-priority"]
    assert a.changes()[-1]["reason"] == "higher-priority"


def test_sigkill_of_the_leader(lan: Lan, trio: Trio) -> None:
    """The next in rank leads, above the old term, within a leader timeout and an election, and calls the other dead."""
    a, b, c = trio
    before = a.status()["term"]
    killed_ns = time.monotonic_ns()
    a.kill()
    assert lan.until_led_by("b") > before
    elected = b.changes(since_ns=killed_ns)[-1]
    assert elected["event"] == "elected"
    assert elected["reason"] in ("leader-timeout", "leader-crashed")
    assert elected["monotonic_ns"] - killed_ns < 2e9
    assert b.members()["a"]["state"] == "dead"
    assert c.told(killed_ns)[-1] == f"leader-changed {elected['reason']}"


def test_cable_of_the_leader_pulled_and_put_back(lan: Lan, trio: Trio) -> None:
    """Meanwhile the next leads, and the former knows that it cannot know; afterwards all is as before."""
    a, b, c = trio
    lan.pull(a)
    lan.until_led_by("b", [b, c])
    until(lambda: a.leader() is None, what=a.summary)
    lan.put_back(a)
    lan.until_led_by("a")
    lan.steady(1)


def test_081_power_off_of_the_two_highest(lan: Lan) -> None:
    """The two first die in one instant: the third leads, with no duel between those who are left."""
    a, b, *rest = hosts = lan.ranked(5)
    lan.start()
    lan.until_led_by("a")
    off_ns = time.monotonic_ns()
    lan.power_off(a)
    lan.power_off(b)
    lan.until_led_by("c", rest)
    assert sum(kind == "elected" for host in rest for kind in kinds(host.changes(since_ns=off_ns))) == 1
    assert hosts[2].changes(since_ns=off_ns)[-1]["monotonic_ns"] - off_ns < 3e9


def test_064_planned_stop(lan: Lan, trio: Trio) -> None:
    """SIGTERM: exit 0, the next in rank leads at once, one change with the reason leader-left and no loss anywhere."""
    a, b, c = trio
    watch = a.watch()
    before = a.status()["term"]
    asked_ns = time.monotonic_ns()
    assert a.stop() == 0
    assert lan.until_led_by("b") > before
    assert b.told(asked_ns) == ["elected leader-left"]
    assert c.told(asked_ns) == ["leader-changed leader-left"]
    assert b.changes()[-1]["monotonic_ns"] - asked_ns < 0.5e9
    until(lambda: watch.ended)
    assert kinds(watch.events)[:2] == ["stopping", "deposed"]
    assert b.members()["a"]["state"] == "left"


def test_planned_stop_of_a_follower_changes_nothing(lan: Lan, trio: Trio) -> None:
    a, b, c = trio
    start_ns = time.monotonic_ns()
    assert c.stop() == 0
    until(lambda: [host.members()["c"]["state"] for host in (a, b)] == ["left", "left"])
    assert a.status()["members"] == b.status()["members"] == {"alive": 2, "dead": 0}
    assert not lan.changes(start_ns)


def test_planned_stop_of_all_at_once(lan: Lan, trio: Trio) -> None:
    """A rack that is shut down: every daemon ends with 0, and none waits long for a successor that goes too."""
    for host in trio:
        host.signal(signal.SIGTERM)
    start = time.monotonic()
    assert [host.exit_code() for host in trio] == [0, 0, 0]
    assert time.monotonic() - start < 5


def test_planned_stop_alone(lan: Lan) -> None:
    a = lan.host("a")
    lan.start(a)
    lan.until_led_by("a")
    start = time.monotonic()
    assert a.stop() == 0
    assert time.monotonic() - start < 2


def test_return_of_the_highest(lan: Lan, trio: Trio) -> None:
    """After a crash it comes back and leads again by a hand-over; c is told once, and is never without a leader."""
    a, b, c = trio
    a.kill()
    lan.until_led_by("b")
    start_ns = time.monotonic_ns()
    a.start()
    lan.until_led_by("a")
    assert c.told(start_ns) == ["leader-changed higher-priority"]
    assert b.told(start_ns) == ["deposed preempted", "leader-changed higher-priority"]
    lan.steady(1)


def test_050_rejoin_restart_within_100_ms(lan: Lan, trio: Trio) -> None:
    """A new session on the old address takes the old one's place. A follower that restarts changes nothing; the leader
    leads again in the end."""
    a, b, c = trio
    start_ns = time.monotonic_ns()
    c.restart()
    lan.until_complete()
    lan.until_led_by("a")
    assert not lan.changes(start_ns, [a, b])
    before = a.status()["node"]["id"]
    a.restart()
    lan.until_complete()
    lan.until_led_by("a")
    assert a.status()["node"]["id"] == before
    lan.steady(1)


def test_063_preempt_never(lan: Lan) -> None:
    """A returning host that outranks the leader follows it, for as long as it leads."""
    a, b, c = lan.ranked(3, config='preempt = "never"')
    lan.start(a)
    lan.until_led_by("a", [a])  # or b is there first on a busy machine, and stays
    lan.start(b, c)
    lan.until_led_by("a")
    a.kill()
    lan.until_led_by("b")
    a.start()
    lan.until_complete()
    lan.until_led_by("b")
    lan.steady(2)
    b.kill()
    lan.until_led_by("a")


def test_063_preempt_after_a_duration(lan: Lan) -> None:
    """A returning host waits as long as it is configured to, and takes over then."""
    a, b, _ = lan.trio(config='preempt = "2s"')
    a.kill()
    lan.until_led_by("b")
    a.start()
    lan.until_led_by("b")
    followed_ns = a.changes()[0]["monotonic_ns"]
    lan.until_led_by("a")
    assert a.changes()[-1]["event"] == "elected"
    assert 2e9 <= a.changes()[-1]["monotonic_ns"] - followed_ns < 4e9
    assert b.told()[-2:] == ["deposed preempted", "leader-changed higher-priority"]


def test_083_equal_priority_restart_does_not_bounce(lan: Lan) -> None:
    """All have the default priority. The lowest id outranks the others, and yet follows whoever leads when it comes."""
    hosts = [lan.host(name) for name in ("a", "b", "c")]
    lan.start()
    lowest, *rest = sorted(hosts, key=lambda host: host.status()["node"]["id"])
    lowest.kill()
    until(lambda: rest[0].leader() in (rest[0].name, rest[1].name), what=rest[0].summary)
    leader = str(rest[0].leader())
    lan.until_led_by(leader)
    start_ns = time.monotonic_ns()
    lowest.start()
    lan.until_complete()
    lan.until_led_by(leader)
    lan.steady(2)
    assert not lan.changes(start_ns, rest)


def test_10_hosts_join_at_once(lan: Lan) -> None:
    """One leader, the highest, that all agree on soon after the last daemon has come up."""
    hosts = lan.ranked(10)
    lan.start()
    lan.until_led_by("a")
    started_ns = max(host.events()[0]["monotonic_ns"] for host in hosts)
    agreed_ns = max(host.changes()[-1]["monotonic_ns"] for host in hosts)
    assert agreed_ns - started_ns < 3e9
    lan.steady(1)
