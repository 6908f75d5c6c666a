"""What a host's check and its operator say about whether it may lead, in a simulated cluster; and a schedule of that.

The kinds of faults here are in no schedule that `draw` makes, so that its seeds stay what they are: `scheduled` adds them."""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace

from kingd.core.effect import Effect
from kingd.core.election import Core
from kingd.core.problems import StepDownError
from kingd.core.timing import NEVER
from kingd.core.wire.message import Ineligible
from kingd.sim.cluster import Cluster
from kingd.sim.host import Host
from kingd.sim.options import Options
from kingd.sim.schedule import KINDS, Fault, plan

UNFIT, MAINTAIN = "unfit", "maintain"


def scheduled(options: Options) -> Options:
    """The same cluster, on which checks fail now and then, on one host or all, and hosts are in maintenance."""
    rng = random.Random(options.luck)
    others = tuple(kind for kind in KINDS if rng.random() < 0.3)
    until_us, every_us = options.safety_us, options.safety_us // 30
    faults = plan(
        rng, kinds=(*others, UNFIT, MAINTAIN), hosts=len(options.priorities), until_us=until_us, every_us=every_us,
        lasts_us=2 * every_us,
    )  # fmt: skip
    return replace(options, faults=faults, weather=replace(options.weather, replay_rate=0.0))


Later = Callable[[int, Callable[[], None]], None]


def unfit(
    cluster: Cluster, present: Sequence[Host], later: Later, host: Host, fault: Fault, rng: random.Random
) -> None:
    """For a while: this host, or all."""
    found = rng.choice(([host], [host], present))

    def check_all(*, fails: bool) -> None:
        for each in found:
            if runs(cluster, each):
                check(cluster, each, fails=fails)

    check_all(fails=True)
    later(fault.lasts_us, lambda: check_all(fails=False))


def in_maintenance(cluster: Cluster, host: Host, fault: Fault, rng: random.Random) -> None:
    if runs(cluster, host):
        maintain(cluster, host, for_us=rng.choice((0, fault.lasts_us)))


def end(cluster: Cluster, host: Host) -> None:
    """All may lead again, as far as it is about this."""
    host.maintenance_until_us = 0
    if host.core is not None and host.core.node.orders.unfit.keys() & {Ineligible.CHECK_FAILED, Ineligible.MAINTENANCE}:
        check(cluster, host, fails=False)
        maintain(cluster, host, for_us=0)


def runs(cluster: Cluster, host: Host) -> bool:
    return host.core is not None and cluster.now_us >= host.paused_until_us


def check(cluster: Cluster, host: Host, *, fails: bool) -> None:
    """Its check says so, from now on."""
    _set(cluster, host, Ineligible.CHECK_FAILED, NEVER if fails else 0)


def maintain(cluster: Cluster, host: Host, *, for_us: int) -> None:
    """It is on its disk at once, as `daemon/maintenance.py` has it: in real time. 0: it is over."""
    host.maintenance_until_us = cluster.now_us + for_us if for_us else 0
    _set(cluster, host, Ineligible.MAINTENANCE, host.clock.read(host.maintenance_until_us) if for_us else 0)


def _set(cluster: Cluster, host: Host, why: Ineligible, until_us: int) -> None:
    cluster.note(host, f"{why.word} {'on' if until_us else 'off'}")
    cluster.enter(host, lambda core: core.set_unfit(why, until_us=until_us, now_us=cluster.local_us(host)))


def ask_step_down(core: Core, *, to: str | None, for_us: int, now_us: int) -> list[Effect]:
    try:
        return core.step_down(to=to, for_us=for_us, now_us=now_us)
    except StepDownError:
        return []
