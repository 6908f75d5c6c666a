"""Which links this host has. What needs interfaces of its own is in tests/lan/test_net_transport.py."""

from kingd.net.links import scan, why_unused


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
