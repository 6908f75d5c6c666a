"""corosync with its defaults. It has no leader: its membership is what it tells, and the lowest node id stands for the
leader, as cluster managers on top of it choose it."""

import re
from collections.abc import Sequence
from pathlib import Path

from benchmarks.systems.peer import Peer
from tests.lan.host import Host
from tests.lan.network import Lan

_NAMES = {1: "a", 2: "b", 3: "c"}
_CONFIG = """
totem {
    version: 2
    cluster_name: bench
    crypto_cipher: none
    crypto_hash: none
}
nodelist {%s}
quorum {
    provider: corosync_votequorum
}
logging {
    to_stderr: yes
    to_syslog: no
    to_logfile: no
}
"""
_NODE = """
    node {
        ring0_addr: 10.77.0.%d
        nodeid: %d
        name: %s
    }
"""
_MEMBERS = re.compile(r"Members\[\d+\]:((?: \d+)+)")


def corosync(lan: Lan) -> Peer:
    return Peer(lan, command=_command, read=_read, beat_s=1, everybody_tells=True, is_ranked=True)


def _command(host: Host, fifo: Path) -> Sequence[str]:
    nodes = "".join(_NODE % (number, number, name) for number, name in _NAMES.items())
    config = host.folder / "corosync.conf"
    config.write_text(_CONFIG % nodes, encoding="ascii")
    own_run = (
        "mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /var/lib/corosync"  # its lock and state have fixed names
    )
    return ["unshare", "--mount", "sh", "-c", f"{own_run} && exec corosync -f -c {config}"]


def _read(host: Host, line: str) -> tuple[str | None] | None:
    found = _MEMBERS.search(line)
    return None if found is None else (_NAMES[min(int(number) for number in found[1].split())],)
