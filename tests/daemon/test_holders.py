"""Who holds is told of each change of leadership, also of those that are no event. The hosts are simulated; the control
service of one of them is real."""

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import cast

import pytest

from kingd.config.keys import Config
from kingd.core.timing import SECOND
from kingd.daemon import service
from kingd.daemon.news import News
from kingd.daemon.service import ControlService, Daemon
from kingd.loop import Loop
from kingd.sim.cluster import Cluster, hosts


def test_leader_that_leads_again_after_a_stall_tells_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was told of nobody else, so there is no event of its loss, and none of its end."""
    cluster = Cluster(hosts(300, 200), seed=1)
    for host in cluster.hosts:
        cluster.start(host)
    leader, next_one = cluster.hosts
    assert leader.core is not None
    assert cluster.run_until(lambda: cluster.agreed() == leader.name, 20 * SECOND)
    monkeypatch.setattr(service, "now_us", lambda: cluster.local_us(leader))
    loop = Loop()
    news = News(leader.core, loop, here=lambda: None)
    control = ControlService(cast("Daemon", SimpleNamespace(core=leader.core, config=Config(), news=news)), loop)
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
