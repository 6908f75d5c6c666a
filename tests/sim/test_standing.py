"""`Core.standing`, by which a driver sees that what `status` says has changed: many changes are no event, or not at once."""

from collections.abc import Callable
from typing import Any

import pytest

from kingd.acting.hold import Hold, Leadership
from kingd.core.effect import Effect
from kingd.core.election import Core
from kingd.core.timing import MS, SECOND, Timing
from kingd.core.wire.message import Reason
from kingd.sim.cluster import Cluster, hosts
from kingd.sim.options import draw
from kingd.sim.swarm import run

pytestmark = pytest.mark.sim

SEEDS = range(20)
PINNED = Leadership(1, "a")

Entry = Callable[..., list[Effect]]


def said(core: Core, now_us: int) -> tuple[object, ...] | None:
    """Of leadership. None: not sure, and so to be asked again soon."""
    facts = core.status(now_us)
    is_unsure = facts.leader is None and facts.reason is Reason.STALLED
    return None if is_unsure else (facts.role, facts.ballot)


def test_what_a_step_changes_of_leadership_changes_the_standing(monkeypatch: pytest.MonkeyPatch) -> None:
    changes = 0

    def checked(entry: Entry) -> Entry:
        def enter(core: Core, *arguments: Any, now_us: int, **named: Any) -> list[Effect]:
            nonlocal changes
            former, standing = said(core, now_us), core.standing
            effects = entry(core, *arguments, now_us=now_us, **named)
            now = said(core, now_us)
            if former is not None and now is not None and now != former:
                changes += 1
                assert core.standing != standing
            return effects

        return enter

    for entry in (Core.receive, Core.tick):
        monkeypatch.setattr(Core, entry.__name__, checked(entry))
    for seed in SEEDS:
        result = run(draw(seed))
        assert not result.outcome, f"seed {seed}: {result.outcome.name} {result.message}"
    assert changes > 10 * len(SEEDS)


def test_leader_that_gets_shorter_timing_ends_nothing() -> None:
    """Its next heartbeat was due when what was told of the last one was in doubt already."""
    slow, fast = Timing(heartbeat_us=SECOND, leader_timeout_us=5 * SECOND), Timing()
    cluster = Cluster(hosts(300, 200, 100, timing=slow), seed=1)
    cluster.start_all()
    leader = cluster.hosts[0]
    assert cluster.run_until(lambda: cluster.agreed() == leader.name, 60 * SECOND)
    cluster.run(5 * SECOND + 50 * MS)
    for host in cluster.hosts:
        cluster.set_timing(host, fast)
    assert leader.core is not None
    now_us, until_us = cluster.local_us(leader), leader.core.leads_until_us
    hold = Hold(PINNED, told_us=now_us, valid_us=until_us - now_us)
    for _ in range(2_000):
        assert not hold.doubt(now_us=now_us)
        cluster.run(MS)
        now_us, until_us = cluster.local_us(leader), leader.core.leads_until_us
        hold.note(PINNED, told_us=now_us, valid_us=until_us - now_us)
