"""Which links there are. What needs interfaces of its own is in tests/lan/test_net_transport.py."""

import subprocess
import sys

import pytest

from kingd.net.links import Link, is_link_local, scan, why_unused


def test_loopback_is_a_link_only_when_named() -> None:
    named = scan(["lo"])
    assert [(link.interface, link.address, link.primary) for link in named if link.family == 4][:1] == [
        ("lo", "127.0.0.1", True)
    ]
    assert "lo" not in {link.interface for link in scan([])}


def test_two_scans_are_equal() -> None:
    assert scan([]) == scan([])


def test_missing_interface_gives_no_link_and_a_reason() -> None:
    assert scan(["none7"]) == []
    assert "no such interface" in why_unused("none7")


@pytest.mark.parametrize(
    ("address", "prefix", "host", "expected"),
    [
        ("10.0.0.1", 24, "10.0.0.200", True),
        ("10.0.0.1", 24, "10.0.1.1", False),
        ("10.0.0.1", 32, "10.0.0.1", True),
        ("10.0.0.1", 0, "192.0.2.1", True),
        ("fd00::1", 64, "fd00::2:0:0:9", True),
        ("fd00::1", 64, "fd00:0:0:1::9", False),
        ("10.0.0.1", 24, "fd00::1", False),
        ("10.0.0.1", 24, "box2", False),
    ],
)
def test_contains(address: str, prefix: int, host: str, expected: bool) -> None:
    link = Link("eth0", 2, 6 if ":" in address else 4, address, prefix, None, primary=True)
    assert link.contains(host) is expected


@pytest.mark.parametrize(
    ("host", "expected"),
    [("fe80::1", True), ("febf::1", True), ("fec0::1", False), ("fd00::1", False), ("::1", False), ("10.0.0.1", False)],
)
def test_link_local(host: str, expected: bool) -> None:
    assert is_link_local(host) is expected


def test_import_is_cheap() -> None:
    program = (
        "import asyncio, sys; before = set(sys.modules); import kingd.net.transport, kingd.net.seeds; "
        "print(*sorted(n for n in set(sys.modules) - before if not n.startswith('kingd')))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert set(result.stdout.split()) <= {"netifaces", "fcntl", "dataclasses", "copy"}
