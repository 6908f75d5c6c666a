"""`/etc/kingd/vip.toml` in, the addresses out. Every mistake is named, in one go: file, key, value, and what is allowed."""

import ipaddress
from collections.abc import Mapping
from pathlib import Path

from kingd.config.keys import as_toml
from kingd.config.kinds import FLAG, INTERFACE, Kind, text
from kingd.config.toml_file import ConfigError, read_toml, unreadable
from kingd.records import dataclass

DEFAULT_FILE = Path("/etc/kingd/vip.toml")
_ADDRESSES_MAX = 100
_REQUIRED = ("address", "interface")


@dataclass(frozen=True, slots=True)
class Address:
    """`packed`: 4 or 16 bytes. `label`: "" = none. `resets`: its TCP connections, before it is removed."""

    packed: bytes
    prefix: int
    interface: str
    label: str = ""
    resets: bool = False

    @property
    def is_alone(self) -> bool:
        """It brings no network with it."""
        return self.prefix == 8 * len(self.packed)

    def __str__(self) -> str:
        shown = str(ipaddress.ip_address(self.packed))
        return shown if self.is_alone else f"{shown}/{self.prefix}"


def _address(value: object) -> tuple[bytes, int]:
    if not isinstance(value, str):
        raise ValueError
    found = ipaddress.ip_interface(value)
    ip = found.ip
    if getattr(ip, "scope_id", None) or ip.is_multicast or ip.is_unspecified or ip.is_loopback or ip.is_link_local:
        raise ValueError("link-local, loopback and multicast addresses are none that can move")
    if found.network.prefixlen == 0 or (found.network.num_addresses > 2 and ip in _ends(found)):
        raise ValueError("that is the network itself, or its broadcast address")
    return ip.packed, found.network.prefixlen


def _ends(found: ipaddress.IPv4Interface | ipaddress.IPv6Interface) -> tuple[object, ...]:
    if isinstance(found, ipaddress.IPv4Interface):
        return found.network.network_address, found.network.broadcast_address
    return ()


ADDRESS = Kind('an address with or without prefix, such as "192.0.2.10", "192.0.2.10/24" or "2001:db8::10"', _address)
LABEL = text("the interface's name, a colon and a word, of 15 characters at most", r"[^\s/:]{1,15}:[A-Za-z0-9_.-]+")
_KINDS = {"address": ADDRESS, "interface": INTERFACE, "label": LABEL, "reset_connections": FLAG}


def load(file: Path) -> tuple[Address, ...]:
    """ConfigError."""
    try:
        _, document = read_toml(file, decides="which addresses this host takes")
    except FileNotFoundError as error:
        raise ConfigError([unreadable(file, error)]) from None
    problems: list[str] = []
    for key, value in document.items():
        if key != "address":
            problems.append(f"{file}: {key} = {as_toml(value)} is not a key of kingd-vip: there is [[address]]")
    tables = document.get("address", [])
    if not isinstance(tables, list) or not tables or not all(isinstance(table, Mapping) for table in tables):
        problems.append(f"{file}: there must be one [[address]] or more, each with {' and '.join(_REQUIRED)}")
        tables = []
    if len(tables) > _ADDRESSES_MAX:
        problems.append(f"{file}: there are {len(tables)} [[address]], and there may be {_ADDRESSES_MAX}")
    found = [_read(f"{file}: [[address]] number {number}", table, problems) for number, table in enumerate(tables, 1)]
    packed = [address.packed for address in found if address is not None]
    twice = next((str(each) for each in found if each is not None and packed.count(each.packed) > 1), None)
    if twice is not None:
        problems.append(f"{file}: address = {as_toml(twice)} is there twice")
    if problems:
        raise ConfigError(problems)
    return tuple(address for address in found if address is not None)


def _read(where: str, table: Mapping[str, object], problems: list[str]) -> Address | None:
    before = len(problems)
    values: dict[str, object] = {}
    for key, value in table.items():
        kind = _KINDS.get(key)
        if kind is None:
            problems.append(f"{where}: {key} = {as_toml(value)} is not a key of it: there are {', '.join(_KINDS)}")
            continue
        try:
            values[key] = kind.read(value)
        except ValueError as error:
            why = f" ({error})" if str(error) else ""
            problems.append(f"{where}: {key} = {as_toml(value)} is not allowed: it must be {kind.allowed}{why}")
    problems += [
        f"{where}: {key} is missing: it must be {_KINDS[key].allowed}" for key in _REQUIRED if key not in table
    ]
    if len(problems) > before:
        return None
    packed, prefix = _address(table["address"])
    label, resets = str(values.get("label", "")), values.get("reset_connections") is True
    return _labelled(where, Address(packed, prefix, str(values["interface"]), label, resets), problems)


def _labelled(where: str, address: Address, problems: list[str]) -> Address | None:
    label = address.label
    why = ""
    if label and len(address.packed) == 16:
        why = "only an IPv4 address has one"
    elif label and (len(label) > 15 or label.partition(":")[0] != address.interface):
        why = f"it must be {LABEL.allowed}"
    if why:
        problems.append(f"{where}: label = {as_toml(label)} is not allowed: {why}")
        return None
    return address
