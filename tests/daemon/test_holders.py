"""Who holds is told of each change of leadership, also of those that are no event. The hosts are simulated; the control
service of one of them is real."""

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import cast

import pytest

from kingd.acting.hold import Hold, Leadership
from kingd.config.keys import PROFILES, Config
from kingd.control.service import JsonObject
from kingd.core.timing import SECOND, Timing
from kingd.daemon import service
from kingd.daemon.holders import Holders
from kingd.daemon.news import News
from kingd.daemon.service import ControlService, Daemon
from kingd.loop import Loop
from kingd.sim.cluster import Cluster, hosts
from kingd.sim.host import Host


def service_of(host: Host, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> tuple[ControlService, Loop]:
    """By that host's clock."""
    assert host.core is not None
    monkeypatch.setattr(service, "now_us", lambda: cluster.local_us(host))
    loop = Loop()
    news = News(host.core, loop, here=lambda: None)
    return ControlService(cast("Daemon", SimpleNamespace(core=host.core, config=Config(), news=news)), loop), loop


class Fake:
    """A leader and its clock; `told`: by whom, when and until when."""

    def __init__(self) -> None:
        self.now_us = self.until_us = 0
        self.loop = Loop()
        self.holders = Holders(self.loop, self._view)
        self.told: list[tuple[str, int, int]] = []

    def _view(self) -> JsonObject:
        return {"leads": True, "boottime_us": self.now_us, "valid_us": self.until_us - self.now_us}

    def add(self, name: str) -> None:
        self.holders.add(lambda _message: self.told.append((name, self.now_us, self.until_us)))

    def beat(self, now_us: int, until_us: int) -> list[tuple[str, int, int]]:
        """Who was told."""
        self.told.clear()
        self.now_us, self.until_us = now_us, until_us
        self.holders.lasts(until_us)
        return self.told


def test_leadership_is_told_again_when_it_lasts_longer_or_less_long() -> None:
    fake = Fake()
    fake.beat(0, 300)
    fake.add("one")
    assert fake.beat(10, 300) == []
    assert fake.beat(20, 320) == [("one", 20, 320)]  # an early heartbeat: the next one is not early
    fake.add("two")
    assert fake.beat(21, 320) == []
    assert fake.beat(22, 222) == [("one", 22, 222), ("two", 22, 222)]  # a reload to shorter timing
    assert fake.beat(122, 322) == [("one", 122, 322), ("two", 122, 322)]
    assert fake.beat(123, 0) == []  # that is a change, and told as one
    fake.loop.close()


@pytest.mark.parametrize("profile", list(PROFILES))
@pytest.mark.parametrize("voters", [(), ("box1", "box2", "box3")])
def test_each_heartbeat_comes_long_before_what_was_told_is_in_doubt(
    monkeypatch: pytest.MonkeyPatch, profile: str, voters: tuple[str, ...]
) -> None:
    """What runs is told to end then. That must take more than one late wake-up."""
    heartbeat_us, leader_timeout_us = PROFILES[profile]
    timing = Timing(heartbeat_us=heartbeat_us, leader_timeout_us=leader_timeout_us)
    cluster = Cluster(hosts(300, 200, 100, timing=timing, voters=voters), seed=1)
    for host in cluster.hosts:
        cluster.start(host)
    leader = cluster.hosts[0]
    assert cluster.run_until(lambda: cluster.agreed() == leader.name, 100 * leader_timeout_us)
    assert leader.core is not None
    control, loop = service_of(leader, cluster, monkeypatch)
    cluster.run(2 * heartbeat_us)
    doubts_us: list[int] = []
    slack_us: list[int] = []

    def note(message: bytes) -> None:
        said = json.loads(message[:-1])["parameters"]
        now_us = cluster.local_us(leader)
        slack_us.extend(doubt_us - now_us for doubt_us in doubts_us[-1:])
        doubts_us.append(Hold(Leadership(1, "a"), told_us=now_us, valid_us=said["valid_us"]).doubt_us)

    control.hold(None, note)
    end_us = cluster.now_us + 50 * heartbeat_us

    def is_over() -> bool:
        control.stepped()
        return cluster.now_us >= end_us

    cluster.run_until(is_over, 2 * 50 * heartbeat_us)
    assert len(slack_us) > 10
    assert min(slack_us[1:]) > heartbeat_us // 2
    loop.close()


def test_leader_that_leads_again_after_a_stall_tells_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was told of nobody else, so there is no event of its loss, and none of its end."""
    cluster = Cluster(hosts(300, 200), seed=1)
    for host in cluster.hosts:
        cluster.start(host)
    leader, next_one = cluster.hosts
    assert leader.core is not None
    assert cluster.run_until(lambda: cluster.agreed() == leader.name, 20 * SECOND)
    control, loop = service_of(leader, cluster, monkeypatch)
    told: list[dict[str, object]] = []
    control.hold(None, lambda message: told.append(json.loads(message[:-1])["parameters"]))

    def runs_until(condition: Callable[[], bool]) -> bool:
        def met() -> bool:
            control.stepped()
            return condition()

        return cluster.run_until(met, 20 * SECOND)

    events = len(leader.events)
    cluster.pause(leader, until_us=cluster.now_us + 20 * SECOND)
    assert cluster.run_until(lambda: cluster.leaders() == [next_one], 20 * SECOND)
    cluster.resume(leader)
    assert runs_until(lambda: told[-1]["leads"] is False)
    cluster.kill(next_one)
    assert runs_until(lambda: cluster.leaders() == [leader])
    assert told[-1]["leads"] is True
    assert [event.kind.name for _, event in leader.events[events:]] == ["MEMBER_DEAD"]
    loop.close()


def test_follower_that_was_not_sure_tells_who_leads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who begins to hold right after a stall of its host: whom that follows has not changed, and is no event."""
    cluster = Cluster(hosts(300, 200), seed=1)
    for host in cluster.hosts:
        cluster.start(host)
    leader, follower = cluster.hosts
    assert follower.core is not None
    assert cluster.run_until(lambda: cluster.agreed() == leader.name, 20 * SECOND)
    cluster.run(SECOND)
    control, loop = service_of(follower, cluster, monkeypatch)
    control.hold(None, lambda _message: None)  # it was told that somebody else leads
    told: list[dict[str, object]] = []
    standing = follower.core.standing
    monkeypatch.setattr(service, "now_us", lambda: cluster.local_us(follower) + 10 * SECOND)
    control.hold(None, lambda message: told.append(json.loads(message[:-1])["parameters"]))
    assert [said["leads"] for said in told] == [None]
    monkeypatch.setattr(service, "now_us", lambda: cluster.local_us(follower))
    assert follower.core.standing == standing
    control.stepped()
    assert [(said["leads"], said["leader_id"]) for said in told[1:]] == [(False, f"{leader.node_id:016x}")]
    loop.close()
