"""What is remembered and said of refused datagrams, however many there are."""

import logging

import pytest

from kingd.core.endpoint import Endpoint
from kingd.daemon.refusals import Refusals

SECOND = 1_000_000


def test_strangers_are_named_by_cause_the_latest_first() -> None:
    refusals = Refusals()
    for second, reason in enumerate(("other-cluster", "bad-key", "unsigned", "version", "magic", "damaged")):
        refusals.note(reason, Endpoint(f"10.0.0.{second}", 5466, "eth0"), now_us=second * SECOND)
    assert [(s["address"], s["why"], s["last_seen_ms"]) for s in refusals.strangers(10 * SECOND)] == [
        ("10.0.0.3:5466", "version", 7000),
        ("10.0.0.2:5466", "bad-key", 8000),
        ("10.0.0.1:5466", "bad-key", 9000),
        ("10.0.0.0:5466", "other-cluster", 10000),
    ]
    assert refusals.counts["magic"] == refusals.counts["damaged"] == 1


def test_stranger_that_is_gone_for_a_minute_is_not_shown() -> None:
    refusals = Refusals()
    refusals.note("bad-key", Endpoint("10.0.0.1", 5466), now_us=0)
    assert refusals.strangers(60 * SECOND) != []
    assert refusals.strangers(61 * SECOND) == []


def test_flood_from_forged_addresses_leaves_bounded_traces(caplog: pytest.LogCaptureFixture) -> None:
    refusals = Refusals()
    with caplog.at_level(logging.WARNING, "kingd.net"):
        for number in range(100_000):
            source = Endpoint(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", 5466)
            refusals.note("bad-key", source, now_us=number)
    assert len(refusals.strangers(SECOND)) == 64
    assert refusals.counts == {"bad-key": 100_000}
    assert len(caplog.records) == 20


def test_stranger_that_goes_on_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    refusals = Refusals()
    with caplog.at_level(logging.WARNING, "kingd.net"):
        for number in range(1000):
            refusals.note("unsigned", Endpoint("10.0.0.9", 5466, "eth0"), now_us=number * SECOND)
    (record,) = caplog.records
    assert record.getMessage().startswith("refused a datagram from 10.0.0.9:5466")
    assert "it is not signed, and this host wants a key" in record.getMessage()
