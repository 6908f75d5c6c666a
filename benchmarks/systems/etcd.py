"""etcd with its defaults, which has no ranks. It tells by its log: Raft's own line about a leader won or lost."""

import re
from collections.abc import Sequence
from pathlib import Path

from benchmarks.systems.peer import Peer
from tests.lan.host import Host
from tests.lan.network import Lan

_ADDED = re.compile(r"added member ([0-9a-f]+) \[http://10\.77\.0\.([123]):")
_LEADER = re.compile(r"raft\.node: [0-9a-f]+ (elected|lost|changed) leader (?:from [0-9a-f]+ to )?([0-9a-f]+)")


def etcd(lan: Lan) -> Peer:
    names: dict[str, str] = {}  # member id -> host

    def read(host: Host, line: str) -> tuple[str | None] | None:
        if (added := _ADDED.search(line)) is not None:
            names[added[1]] = "abc"[int(added[2]) - 1]
        found = _LEADER.search(line)
        return None if found is None else (None if found[1] == "lost" else names[found[2]],)

    return Peer(lan, command=_command, read=read, beat_s=0.1, everybody_tells=True, is_ranked=False)


def _command(host: Host, fifo: Path) -> Sequence[str]:
    everybody = ",".join(f"{name}=http://10.77.0.{number}:2380" for number, name in enumerate("abc", 1))
    peer, client = f"http://{host.address}:2380", f"http://{host.address}:2379"
    return [
        "etcd", f"--name={host.name}", f"--data-dir={host.folder}/data", f"--initial-cluster={everybody}",
        f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}",
        f"--listen-client-urls={client}", f"--advertise-client-urls={client}",
    ]  # fmt: skip
