"""vip.toml: what is read, and what is refused, with the words for it."""

import socket
from pathlib import Path

import pytest

from kingd.config import ConfigError
from kingd.vip.config import Address, load

V4 = socket.inet_aton("192.0.2.9")
V6 = socket.inet_pton(socket.AF_INET6, "2001:db8::9")


def read(folder: Path, text: str) -> tuple[Address, ...]:
    file = folder / "vip.toml"
    file.write_text(text)
    return load(file)


def entry(address: str = '"192.0.2.9"', interface: str = '"eth0"', more: str = "") -> str:
    return f"[[address]]\naddress = {address}\ninterface = {interface}\n{more}\n"


def test_v07_v18_addresses_of_both_families_with_and_without_prefix(tmp_path: Path) -> None:
    text = (
        entry(more='label = "eth0:king"')
        + entry('"2001:db8::9"', '"br1"', "reset_connections = true")
        + entry('"192.0.2.10/24"')
    )
    first, second, third = read(tmp_path, text)
    assert first == Address(V4, 32, "eth0", "eth0:king")
    assert second == Address(V6, 128, "br1", resets=True)
    assert (third.prefix, third.is_alone, str(third)) == (24, False, "192.0.2.10/24")
    assert (str(first), str(second)) == ("192.0.2.9", "2001:db8::9")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "there must be one [[address]] or more"),
        ("address = []", "there must be one [[address]] or more"),
        ('[address]\naddress = "192.0.2.9"', "there must be one [[address]] or more"),
        ("port = 1\n" + entry(), "port = 1 is not a key of kingd-vip"),
        (entry(more="prefix = 24"), "[[address]] number 1: prefix = 24 is not a key of it"),
        (entry("4"), "address = 4 is not allowed: it must be an address"),
        (entry('"192.0.2.300"'), 'address = "192.0.2.300" is not allowed'),
        (entry('"192.0.2.9/33"'), 'address = "192.0.2.9/33" is not allowed'),
        (entry('"192.0.2.0/24"'), "the network itself"),
        (entry('"192.0.2.255/24"'), "broadcast"),
        (entry('"192.0.2.9/0"'), "the network itself"),
        (entry('"fe80::1"'), "none that can move"),
        (entry('"ff02::1"'), "none that can move"),
        (entry('"127.0.0.1"'), "none that can move"),
        (entry(interface='"a name too long for it"'), "interface = "),
        (entry(interface='["eth0"]'), 'interface = ["eth0"] is not allowed: it must be an interface\'s name'),
        ('[[address]]\ninterface = "eth0"', "address is missing: it must be an address"),
        (entry(more="reset_connections = 1"), "reset_connections = 1 is not allowed: it must be true or false"),
        (entry(more='label = "king"'), 'label = "king" is not allowed: it must be the interface\'s name, a colon'),
        (entry(more='label = "eth1:king"'), 'label = "eth1:king" is not allowed'),
        (entry(more='label = "eth0:kingsofleon"'), "of 15 characters at most"),
        (entry('"2001:db8::9"', more='label = "eth0:king"'), "only an IPv4 address has one"),
        (entry() + entry('"192.0.2.9/24"', '"eth1"'), 'address = "192.0.2.9" is there twice'),
        ("".join(entry(f'"192.0.2.{number}"') for number in range(1, 102)), "there may be 100"),
        ("[[", "is not TOML"),
    ],
)
def test_v10_mistake_is_named_with_file_key_value_and_what_is_allowed(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        read(tmp_path, text)
    assert str(error.value).startswith(f"{tmp_path}/vip.toml: ")
    assert said in str(error.value)


def test_all_mistakes_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        read(tmp_path, entry("1", "2") + entry(more="x = 3"))
    assert len(error.value.problems) == 3


def test_file_that_is_missing_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        load(tmp_path / "vip.toml")
