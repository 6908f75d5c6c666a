"""What is said of a link. Which ones a host has is in tests/daemon/test_net_links.py."""

import pytest

from kingd.net.links import Link, is_link_local


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
