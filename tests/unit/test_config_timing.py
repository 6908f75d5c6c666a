"""Durations, and what must hold between them."""

from pathlib import Path

import pytest

from kingd.config import (
    PROFILES,
    duration_text,
    duration_us,
)
from tests.unit.test_config import problems, read


@pytest.fixture
def main(tmp_path: Path) -> Path:
    return tmp_path / "kingd.toml"


DURATIONS = [
    ("1us", 1),
    ("500us", 500),
    ("200ms", 200_000),
    ("3s", 3_000_000),
    ("1.5s", 1_500_000),
    ("0.1s", 100_000),
    ("0.000001s", 1),
    ("1m", 60_000_000),
    ("2h", 7_200_000_000),
    ("0s", 0),
]


@pytest.mark.parametrize(("text", "us"), DURATIONS)
def test_duration_is_exact(text: str, us: int) -> None:
    assert duration_us(text) == us
    assert duration_us(duration_text(us)) == us


@pytest.mark.parametrize(
    "text", ["", "1", "s", "1 s", " 1s", "1s\n", "-1s", "+1s", "1.s", ".5s", "1e3s", "1d", "٣s", 1, 1.5, None]
)
def test_what_is_no_duration(text: object) -> None:
    with pytest.raises(ValueError, match=r"^$"):
        duration_us(text)


TIMINGS = [
    ('profile = "lan"', 100_000, 500_000),
    ('profile = "fast"', 10_000, 30_000),
    ('profile = "wifi"', 1_000_000, 5_000_000),
    ('profile = "fast"\nleader_timeout = "40ms"', 10_000, 40_000),
    ('profile = "wifi"\nheartbeat = "500ms"', 500_000, 5_000_000),
    ('heartbeat = "100ms"\nleader_timeout = "300ms"', 100_000, 300_000),
]


@pytest.mark.parametrize(("toml", "heartbeat_us", "leader_timeout_us"), TIMINGS)
def test_profile_is_a_preset_that_explicit_keys_override(
    main: Path, toml: str, heartbeat_us: int, leader_timeout_us: int
) -> None:
    timing = read(main, f"[timing]\n{toml}").timing
    assert (timing.heartbeat_us, timing.leader_timeout_us) == (heartbeat_us, leader_timeout_us)


def test_every_profile_keeps_the_rule_it_is_measured_by() -> None:
    assert all(leader_timeout_us >= 3 * heartbeat_us for heartbeat_us, leader_timeout_us in PROFILES.values())


@pytest.mark.parametrize(
    ("toml", "sentence"),
    [
        ('heartbeat = "200ms"', ':2: timing.leader_timeout = "500ms" is not allowed: with timing.heartbeat = "200ms"'),
        ('leader_timeout = "299ms"', 'it must be "300ms" or more, 3 heartbeats'),
        ('profile = "wifi"\nleader_timeout = "2s"', ':3: timing.leader_timeout = "2s" is not allowed'),
    ],
)
def test_leader_timeout_is_at_least_three_heartbeats(main: Path, toml: str, sentence: str) -> None:
    (problem,) = problems(main, f"[timing]\n{toml}")
    assert sentence in problem


def test_timing_is_not_judged_by_a_value_that_was_refused(main: Path) -> None:
    (problem,) = problems(main, 'timing.heartbeat = "1d"\ntiming.leader_timeout = "20ms"')
    assert "timing.heartbeat" in problem
