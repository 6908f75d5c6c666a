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

# "kingd-100ms-x3": the heartbeat of keepalived with `advert_int 0.1`, and like it dead after three missed ones; the
# pair of `advert_int 0.01` is the profile "fast" as it is. "kingd-fast-normal": where the kernel
# allows no real-time priority.
SYSTEMS: dict[str, Callable[[Lan], System]] = {
    "kingd": Kingd,
    "kingd-1s-x3": partial(Kingd, timing='heartbeat = "1s"\nleader_timeout = "3s"', beat_s=1),
    "kingd-100ms-x3": partial(Kingd, timing='heartbeat = "100ms"\nleader_timeout = "300ms"', beat_s=0.1),
    "kingd-fast": partial(Kingd, timing='profile = "fast"', beat_s=0.01),
    "kingd-fast-normal": partial(Kingd, timing='profile = "fast"', beat_s=0.01, is_privileged=False),
    "keepalived": keepalived,
    "keepalived-0.1": partial(keepalived, advert_int="0.1", version=3),
    "keepalived-0.01": partial(keepalived, advert_int="0.01", version=3),
    "ucarp": ucarp,
    "corosync": corosync,
    "etcd": etcd,
}
