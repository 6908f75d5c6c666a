"""What is remembered and said of refused datagrams, however many there are."""

import logging
import re
from pathlib import Path

import pytest

from kingd.core.wire.codec import SOURCE_AT
from kingd.core.wire.endpoint import Endpoint
from kingd.daemon.refusals import MEANINGS, Lately, Refusals

SECOND = 1_000_000


def sent_by(node: int) -> bytes:
    return b"\0" * SOURCE_AT.start + node.to_bytes(8, "big")


def test_strangers_are_named_by_cause_the_latest_first() -> None:
    refusals = Refusals()
    for second, reason in enumerate(("other-cluster", "bad-key", "unsigned", "version", "magic", "damaged")):
        refusals.note(reason, Endpoint(f"10.0.0.{second}", 5466, "eth0"), sent_by(second), now_us=second * SECOND)
    assert [(s["address"], s["why"], s["last_seen_ms"]) for s in refusals.strangers(10 * SECOND)] == [
        ("10.0.0.3:5466", "version", 7000),
        ("10.0.0.2:5466", "bad-key", 8000),
        ("10.0.0.1:5466", "bad-key", 9000),
        ("10.0.0.0:5466", "other-cluster", 10000),
    ]
    assert refusals.counts["magic"] == refusals.counts["damaged"] == 1


def test_stranger_that_is_gone_for_a_minute_is_not_shown() -> None:
    refusals = Refusals()
    refusals.note("bad-key", Endpoint("10.0.0.1", 5466), sent_by(1), now_us=0)
    assert refusals.strangers(60 * SECOND) != []
    assert refusals.strangers(61 * SECOND) == []


def test_flood_from_forged_addresses_leaves_bounded_traces(caplog: pytest.LogCaptureFixture) -> None:
    refusals = Refusals()
    with caplog.at_level(logging.WARNING, "kingd.net"):
        for number in range(100_000):
            source = Endpoint(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", 5466)
            refusals.note("bad-key", source, sent_by(number), now_us=number)
    assert len(refusals.strangers(SECOND)) == 64
    assert refusals.counts == {"bad-key": 100_000}
    assert len(caplog.records) == 20


def test_stranger_that_goes_on_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    refusals = Refusals()
    with caplog.at_level(logging.WARNING, "kingd.net"):
        for number in range(1000):
            refusals.note("unsigned", Endpoint("10.0.0.9", 5466, "eth0"), sent_by(9), now_us=number * SECOND)
    (record,) = caplog.records
    assert record.getMessage().startswith("refused a datagram from 10.0.0.9:5466")
    assert "it is not signed, and this host wants a key" in record.getMessage()


@pytest.mark.parametrize("reason", ["other-cluster", "bad-key", "unsigned"])
def test_host_of_two_address_families_is_one_stranger(reason: str, caplog: pytest.LogCaptureFixture) -> None:
    refusals = Refusals()
    with caplog.at_level(logging.WARNING, "kingd.net"):
        for second in range(4):
            for host in ("fe80::9", "10.0.0.9"):
                refusals.note(reason, Endpoint(host, 5466, "eth0"), sent_by(9), now_us=second * SECOND)
        refusals.note(reason, Endpoint("10.0.0.8", 5466, "eth0"), sent_by(8), now_us=4 * SECOND)
    assert [s["address"] for s in refusals.strangers(5 * SECOND)] == ["10.0.0.8:5466", "10.0.0.9:5466"]
    assert len(caplog.records) == 2


def test_growth_of_about_the_last_minute() -> None:
    lately = Lately()
    assert lately.growth({"late": 3}) == {"late": 3}
    for second in range(0, 300, 5):
        lately.sample({"late": 3, "replay": second}, now_us=second * SECOND)
    assert lately.growth({"late": 3, "replay": 300, "magic": 1}) == {"replay": 65, "magic": 1}


def test_every_reason_that_the_code_can_count_is_explained() -> None:
    sources = (Path(__file__).parents[2] / "kingd").rglob("*.py")
    counted = {
        reason
        for source in sources
        for call in re.findall(r"(?:DecodeError|out\.drop|refusals\.(?:note|count))\(([^)\n]*)", source.read_text())
        for reason in re.findall(r'"([a-z-]+)"', call)
    }
    assert counted == set(MEANINGS)
