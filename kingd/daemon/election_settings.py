"""The part of the configuration that the election cares for."""

from kingd import __version__
from kingd.config import Config
from kingd.core.settings import Preempt, Settings
from kingd.core.timing import Timing
from kingd.core.wire.endpoint import Endpoint
from kingd.core.wire.seal import Seal, cluster_id


def election_settings(config: Config, seeds: tuple[Endpoint, ...], seal: Seal) -> Settings:
    return Settings(
        cluster=cluster_id(config.cluster),
        name=config.name,
        version=__version__,
        priority=config.priority,
        preempt=Preempt(enabled=config.preempt.enabled, wait_us=config.preempt.wait_us),
        timing=Timing(heartbeat_us=config.timing.heartbeat_us, leader_timeout_us=config.timing.leader_timeout_us),
        tags=config.tags,
        seeds=seeds,
        broadcast=config.network.broadcast,
        key_id=seal.key_id,
        voters=tuple(sorted(config.quorum.voters)),
    )
