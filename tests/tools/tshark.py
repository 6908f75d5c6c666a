"""What tshark makes of datagrams with the dissector of packaging/wireshark, in the words of kingd/core/wire/layout.py."""

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scapy.layers.inet import IP, UDP
from scapy.packet import Raw
from scapy.utils import RawPcapWriter

from kingd.core.wire import layout
from kingd.core.wire.message import Ineligible, Reason, Role
from kingd.core.wire.trial import Way

DISSECTOR = Path(__file__).parents[2] / "packaging" / "wireshark" / "kingd.lua"
_LINKTYPE_RAW = 101


def record(file: Path, payloads: Sequence[bytes], *, port: int = 5466) -> Path:
    """A pcap file of these, in this order, a millisecond apart."""
    writer = RawPcapWriter(str(file), linktype=_LINKTYPE_RAW)
    writer.write_header(None)
    for number, payload in enumerate(payloads):
        packet = IP(src="10.0.0.1", dst="10.0.0.2") / UDP(sport=port, dport=port) / Raw(payload)
        writer.write_packet(bytes(packet), sec=1_700_000_000 + number // 1000, usec=number % 1000 * 1000)
    writer.close()
    return file


def dissect(file: Path, *, home: Path) -> list[dict[str, Any]]:
    """The layer `kingd` of each packet, as JSON; {} where there is none. `home`: a folder in which nobody has plugins."""
    command = [
        "tshark",
        "-X",
        f"lua_script:{DISSECTOR}",
        "-r",
        str(file),
        "-T",
        "json",
        "--no-duplicate-keys",
        "-J",
        "kingd",
    ]
    environment = os.environ | {"HOME": str(home), "XDG_CONFIG_HOME": str(home), "LC_ALL": "C.UTF-8"}
    run = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert run.returncode == 0, run.stderr
    assert "Lua" not in run.stderr, run.stderr
    return [packet["_source"]["layers"].get("kingd", {}) for packet in json.loads(run.stdout)]


def header_of(shown: dict[str, Any]) -> dict[str, Any]:
    return _fields(shown, "kingd", layout.HEADER)


def body_of(shown: dict[str, Any], kind: int) -> dict[str, Any]:
    body = layout.BODIES[kind]
    path = f"kingd.{body.name.lower().replace('-', '_')}"
    found = shown.get(path) or {}
    result = _fields(found, path, body.fields)
    if body.repeat is not None:
        parts = found.get(f"{path}.{body.repeat.name}", [])
        parts = parts if isinstance(parts, list) else [parts]
        result[body.repeat.name] = [_fields(part, f"{path}.{body.repeat.name}", body.repeat.fields) for part in parts]
    return result


def _fields(shown: dict[str, Any], path: str, fields: Sequence[layout.Field]) -> dict[str, Any]:
    return {name: _value(shown, f"{path}.{name}", name, kind) for name, kind in fields}


def _value(shown: dict[str, Any], path: str, name: str, kind: str) -> Any:
    value = shown[path]
    match kind:
        case "magic" | "text":
            return value
        case "id":
            return f"{int(value, 16):016x}"
        case "digest":
            return f"{int(value, 16):08x}"
        case "flag":
            return _is_set(value)
        case "bits8" | "bits16":
            return [bit for bit in layout.BITS[name] if _is_set(shown[f"{path}_tree"][f"{path}.{bit}"])]
        case "role":
            return Role(int(value)).name.lower()
        case "ineligible":
            return Ineligible(int(value)).word
        case "reason":
            return Reason(int(value)).word
        case "way":
            return Way(int(value)).word
        case _:
            return int(value)


def _is_set(value: str) -> bool:
    return value in ("1", "True")  # 4.0, 4.4
