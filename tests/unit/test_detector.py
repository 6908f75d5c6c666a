"""When a follower calls its leader silent. docs/protocol.md 4.3."""

import pytest

from kingd.core.state.detector import Detector
from kingd.core.timing import MS, SECOND, Timing
from kingd.core.wire.message import SessionId

TIMING = Timing(heartbeat_us=100 * MS, leader_timeout_us=500 * MS)


@pytest.fixture
def detector() -> Detector:
    return Detector(TIMING, 0)


def beats(detector: Detector, *gaps_ms: int) -> int:
    """Signs of life with these gaps between them; when the last one came."""
    now_us = detector.evidence_us
    for gap_ms in gaps_ms:
        now_us += gap_ms * MS
        detector.alive(now_us)
    return now_us


@pytest.mark.parametrize(
    ("gaps_ms", "limit_ms"),
    [
        ((100, 100, 100), 500),
        ((250,), 500),
        ((300,), 600),
        ((700, 100), 1400),
        ((1000,), 2000),
        ((1001,), 500),
        ((60_000,), 500),
    ],
    ids=["quiet", "just within", "jitter", "more jitter", "at most four timeouts", "an outage", "a long outage"],
)
def test_limit_is_twice_the_largest_gap_and_never_below_the_timeout(
    detector: Detector, gaps_ms: tuple[int, ...], limit_ms: int
) -> None:
    beats(detector, *gaps_ms)
    assert detector.limit_us == limit_ms * MS


def test_what_the_leader_beats_more_slowly_by_its_own_word_is_no_jitter(detector: Detector) -> None:
    detector.expect(250 * MS)
    at_us = beats(detector, 250, 250, 260)
    assert detector.limit_us == 500 * MS
    assert detector.silent_at_us == at_us + 375 * MS  # one and a half of its heartbeats, too
    at_us = beats(detector, 500)  # one was lost
    assert detector.limit_us == 700 * MS
    assert detector.limit_at_us == at_us + 700 * MS


@pytest.mark.parametrize(("interval_ms", "silent_ms"), [(0, 150), (100, 150), (10_000, 375)])
def test_no_word_of_the_leaders_puts_the_question_off_beyond_the_timeout(
    detector: Detector, interval_ms: int, silent_ms: int
) -> None:
    detector.expect(interval_ms * MS)
    assert detector.silent_at_us == silent_ms * MS
    assert detector.limit_us == 500 * MS


FAST = Timing(heartbeat_us=10 * MS, leader_timeout_us=30 * MS)


@pytest.mark.parametrize(("gap_ms", "limit_ms"), [(15, 30), (40, 80), (250, 500), (251, 30)])
def test_short_timeout_keeps_no_jitter_from_being_believed(gap_ms: int, limit_ms: int) -> None:
    detector = Detector(FAST, 0)
    beats(detector, gap_ms)
    assert detector.limit_us == limit_ms * MS


def test_leader_that_was_given_up_and_is_heard_again_was_late() -> None:
    detector = Detector(FAST, 0)
    at_us = beats(detector, 10, 10)
    detector.declare_dead(SessionId(7))
    detector.heard_again(SessionId(8), at_us + 200 * MS)
    assert detector.limit_us == 30 * MS  # somebody else
    detector.heard_again(SessionId(7), at_us + 90 * MS)
    assert detector.limit_us == 180 * MS
    detector.heard_again(SessionId(7), at_us + 200 * MS)
    assert detector.limit_us == 180 * MS  # it was counted


def test_jitter_is_forgotten_after_a_minute(detector: Detector) -> None:
    beats(detector, 400)
    assert detector.limit_us == 800 * MS
    beats(detector, *[100] * 310)
    assert detector.limit_us == 800 * MS
    beats(detector, *[100] * 310)
    assert detector.limit_us == 500 * MS


def test_limit_follows_new_timing(detector: Detector) -> None:
    detector.configure(Timing(heartbeat_us=SECOND, leader_timeout_us=5 * SECOND))
    assert detector.limit_us == 5 * SECOND


@pytest.mark.parametrize(("age_ms", "silent"), [(0, False), (149, False), (150, True), (400, True)])
def test_silence_begins_at_one_and_a_half_heartbeats(detector: Detector, age_ms: int, silent: bool) -> None:
    assert detector.is_silent(age_ms * MS) is silent


@pytest.mark.parametrize(
    ("asked_ms", "now_ms", "doubtful"),
    [
        ((), 400, False),
        ((150,), 400, False),
        ((150, 200), 199, False),
        ((150, 200), 200, True),
        ((100, 120), 400, False),  # asked before there was silence: that was no question
        ((100, 150), 400, False),
    ],
    ids=["not asked", "once", "no round trip yet", "twice, and a round trip", "in quiet times", "one counted"],
)
def test_doubt_needs_two_questions_and_a_round_trip(
    detector: Detector, asked_ms: tuple[int, ...], now_ms: int, doubtful: bool
) -> None:
    for nonce, at_ms in enumerate(asked_ms):
        detector.asked(nonce, at_ms * MS)
    assert detector.is_doubtful(now_ms * MS) is doubtful


def test_sign_of_life_ends_doubt(detector: Detector) -> None:
    detector.asked(1, 150 * MS)
    detector.asked(2, 200 * MS)
    detector.alive(210 * MS)
    assert not detector.is_doubtful(400 * MS)


def test_question_is_answered_once_and_by_its_nonce(detector: Detector) -> None:
    detector.asked(7, 5)
    assert detector.answered(8) is None
    assert detector.answered(7) == 5
    assert detector.answered(7) is None


def test_questions_in_flight_are_bounded(detector: Detector) -> None:
    for nonce in range(100):
        detector.asked(nonce, nonce)
    assert [nonce for nonce in range(100) if detector.answered(nonce) is not None] == list(range(68, 100))


def test_067_own_stall_is_not_the_leaders_silence(detector: Detector) -> None:
    detector.excuse(400 * MS)
    assert not detector.is_silent(400 * MS)
    assert detector.is_silent(550 * MS)
    assert detector.evidence_us == 0  # what users are told is not excused


def test_067_own_stall_is_no_jitter_of_the_leader(detector: Detector) -> None:
    detector.excuse(400 * MS)
    detector.alive(500 * MS)
    assert detector.limit_us == 500 * MS


def test_new_leader_is_not_judged_by_the_silence_before_it(detector: Detector) -> None:
    detector.begin(450 * MS)
    assert detector.limit_us == 500 * MS
    assert not detector.is_silent(500 * MS)
