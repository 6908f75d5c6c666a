"""Configured peers: what is accepted, what is refused and how, and what needs no DNS."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kingd.core.wire.endpoint import Endpoint
from kingd.net.seeds import numeric, parse_seed


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("box2", ("box2", 5466)),
        ("box2.example.org:7000", ("box2.example.org", 7000)),
        ("under_score", ("under_score", 5466)),
        ("10.0.0.2", ("10.0.0.2", 5466)),
        ("10.0.0.2:1", ("10.0.0.2", 1)),
        ("fd00::2", ("fd00::2", 5466)),
        ("[fd00::2]", ("fd00::2", 5466)),
        ("[fd00::2]:65535", ("fd00::2", 65535)),
        ("[fe80::2%eth0]:7000", ("fe80::2%eth0", 7000)),
        ("fe80::2%eth0", ("fe80::2%eth0", 5466)),
    ],
)
def test_seed_is_split(text: str, expected: tuple[str, int]) -> None:
    assert parse_seed(text, 5466) == expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no host"),
        (":5466", "no host"),
        ("box2:", "port"),
        ("box2:0", "1 to 65535"),
        ("box2:65536", "1 to 65535"),
        ("box2:+5", "1 to 65535"),
        ("box2:\u0661", "1 to 65535"),
        ("box2:udp", "'udp'"),
        ("two words", "HOST:PORT"),
        ("http://box2", "port"),
        ("10.0.0.0/24", "HOST:PORT"),
        ("10.0.0.256", "not an IPv4 address"),
        ("10.0.0", "not an IPv4 address"),
        ("[fd00::2", "[ADDRESS]:PORT"),
        ("[fd00::2]5466", "[ADDRESS]:PORT"),
        ("[box2]:5466", "IPv6"),
        ("fd00::2::1", "port"),
        ("x" * 300, "HOST:PORT"),
    ],
)
def test_bad_seed_is_refused_with_the_seed_and_the_reason(text: str, says: str) -> None:
    with pytest.raises(ValueError, match="is not a peer") as caught:
        parse_seed(text, 5466)
    assert repr(text) in str(caught.value)
    assert says in str(caught.value)


@given(st.text())
def test_any_text_is_split_or_refused(text: str) -> None:
    try:
        host, port = parse_seed(text, 5466)
    except ValueError:
        return
    assert host
    assert 1 <= port <= 65535
    numeric([(host, port)])


def test_numeric_seeds_need_no_lookup_and_are_spelt_as_the_kernel_spells_them() -> None:
    seeds = [("10.0.0.2", 1), ("box2", 2), ("FD00:0::2", 3), ("fe80::2%eth0", 4)]
    assert numeric(seeds) == [Endpoint("10.0.0.2", 1), Endpoint("fd00::2", 3), Endpoint("fe80::2", 4, "eth0")]
