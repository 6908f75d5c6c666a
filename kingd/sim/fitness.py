"""What a host's check and its operator say about whether it may lead, in a simulated cluster."""

from kingd.core.timing import NEVER
from kingd.core.wire.message import Ineligible
from kingd.sim.cluster import Cluster
from kingd.sim.host import Host


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
