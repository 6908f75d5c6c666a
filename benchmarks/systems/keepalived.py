"""keepalived (VRRP), with an address that moves; it tells by its notify FIFO."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from benchmarks.systems.peer import Peer
from tests.lan.host import Host
from tests.lan.network import Lan

_CONFIG = """
global_defs {{
    router_id {name}
    vrrp_version {version}
    vrrp_notify_fifo {fifo}
}}
vrrp_instance bench {{
    state BACKUP
    interface eth0
    virtual_router_id 51
    priority {priority}
    advert_int {interval}
    virtual_ipaddress {{
        10.77.0.200/24
    }}
}}
"""


def keepalived(lan: Lan, *, advert_int: str = "1", version: int = 2) -> Peer:
    """VRRPv2, keepalived's default, knows whole seconds; less than one needs version 3."""
    return Peer(
        lan, command=partial(_command, advert_int, version), read=_read, beat_s=float(advert_int),
        everybody_tells=False, is_ranked=True,
    )  # fmt: skip


def _command(advert_int: str, version: int, host: Host, fifo: Path) -> Sequence[str]:
    config = host.folder / "keepalived.conf"
    text = _CONFIG.format(
        name=host.name, version=version, fifo=fifo, priority=100 + (host.priority or 0), interval=advert_int
    )
    config.write_text(text, encoding="ascii")
    pid_files = [host.folder / "pid", host.folder / "vrrp_pid"]
    for file in pid_files:
        file.unlink(missing_ok=True)  # of one that was killed: the number may be in use again
    own = [f"--{file.name}={file}" for file in pid_files]
    return ["keepalived", "--dont-fork", "--vrrp", f"--use-file={config}", *own]


def _read(host: Host, line: str) -> tuple[str | None] | None:
    fields = line.split()
    if fields[:2] != ["INSTANCE", '"bench"'] or fields[2] == "STOP":
        return None
    return (host.name if fields[2] == "MASTER" else None,)
