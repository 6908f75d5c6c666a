"""ucarp (CARP) with its defaults; it tells by the scripts that it runs when it becomes master or backup."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.systems.peer import Peer
from tests.lan.host import Host
from tests.lan.network import Lan

_SKEW = {"a": 0, "b": 50, "c": 100}


def ucarp(lan: Lan) -> Peer:
    return Peer(lan, command=_command, read=_read, beat_s=1, everybody_tells=False, is_ranked=False)


def _command(host: Host, fifo: Path) -> Sequence[str]:
    for word in ("up", "down"):
        script = host.folder / word
        script.write_text(f"#!/bin/sh\necho ucarp-{word} >{fifo}\n", encoding="ascii")
        script.chmod(0o755)
    return [
        "ucarp", "--interface=eth0", f"--srcip={host.address}", "--vhid=1", "--pass=bench", "--addr=10.77.0.200",
        f"--advskew={_SKEW[host.name]}", f"--upscript={host.folder}/up", f"--downscript={host.folder}/down", "--shutdown",
    ]  # fmt: skip


def _read(host: Host, line: str) -> tuple[str | None] | None:
    return {"ucarp-up": (host.name,), "ucarp-down": (None,)}.get(line)
