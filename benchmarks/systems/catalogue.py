"""Who is measured, by the name that the command line and the tables use."""

from collections.abc import Callable
from functools import partial

from benchmarks.systems.corosync import corosync
from benchmarks.systems.etcd import etcd
from benchmarks.systems.keepalived import keepalived
from benchmarks.systems.kingd import Kingd
from benchmarks.systems.system import System
from benchmarks.systems.ucarp import ucarp
from tests.lan.network import Lan

_FAST = '[timing]\nprofile = "fast"\n'
_VOTERS = '[quorum]\nvoters = ["a", "b", "c"]\n'


def _timing(heartbeat: str, leader_timeout: str) -> str:
    return f'[timing]\nheartbeat = "{heartbeat}"\nleader_timeout = "{leader_timeout}"\n'


# "kingd-100ms-x3": the heartbeat of keepalived with `advert_int 0.1`, and like it dead after three missed ones; the
# pair of `advert_int 0.01` is the profile "fast" as it is. "kingd-fast-normal": where the kernel allows no real-time
# priority.
SYSTEMS: dict[str, Callable[[Lan], System]] = {
    "kingd": Kingd,
    "kingd-1s-x3": partial(Kingd, config=_timing("1s", "3s"), beat_s=1),
    "kingd-100ms-x3": partial(Kingd, config=_timing("100ms", "300ms"), beat_s=0.1),
    "kingd-fast": partial(Kingd, config=_FAST, beat_s=0.01),
    "kingd-fast-normal": partial(Kingd, config=_FAST, beat_s=0.01, is_privileged=False),
    "kingd-quorum": partial(Kingd, config=_VOTERS),
    "kingd-quorum-fast": partial(Kingd, config=_VOTERS + _FAST, beat_s=0.01),
    "keepalived": keepalived,
    "keepalived-0.1": partial(keepalived, advert_int="0.1", version=3),
    "keepalived-0.01": partial(keepalived, advert_int="0.01", version=3),
    "ucarp": ucarp,
    "corosync": corosync,
    "etcd": etcd,
}
