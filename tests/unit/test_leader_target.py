"""When kingd-leader.target is up, as a table of what the daemon said and when."""

import pytest

from kingd.daemon.leader_target import Tenure, Times, View, judge, wanted

MS = 1_000
LAN = Times.of(500 * MS)


def tenure(*said: tuple[int, View]) -> Tenure:
    """What was said, each at its millisecond."""
    found = Tenure(LAN)
    for at_ms, view in said:
        found.note(view, asked_us=at_ms * MS)
    return found


def leads(first_ms: int, last_ms: int) -> list[tuple[int, View]]:
    return [(at_ms, View.LEADS) for at_ms in range(first_ms, last_ms + 1, 100)]


def test_starts_only_after_uninterrupted_leadership() -> None:
    assert not tenure(*leads(0, 1400)).is_up(now_us=1450 * MS)
    assert tenure(*leads(0, 1500)).is_up(now_us=1550 * MS)
    assert not tenure(*leads(0, 900), (1000, View.FOLLOWS), *leads(1100, 2000)).is_up(now_us=2050 * MS)


def test_silence_is_not_leadership() -> None:
    """A yes, then nothing for long, then a yes: nobody knows what was between them."""
    assert not tenure(*leads(0, 300), *leads(1900, 2000)).is_up(now_us=2000 * MS)


@pytest.mark.parametrize("no", [View.FOLLOWS, View.GONE])
def test_ends_with_the_first_no(no: View) -> None:
    held = tenure(*leads(0, 1500))
    held.note(no, asked_us=1600 * MS)
    assert not held.is_up(now_us=1600 * MS)
    assert not held.is_leading


def test_moment_without_an_answer_is_survived_and_a_hung_daemon_is_not() -> None:
    held = tenure(*leads(0, 1500), (1600, View.UNSURE), (1700, View.UNSURE))
    assert held.is_up(now_us=2500 * MS)
    assert not held.is_up(now_us=2501 * MS)


def test_no_answer_is_waited_for_longer_than_it_would_count() -> None:
    held = tenure(*leads(0, 1500))
    assert held.patience_us(now_us=1700 * MS) == 800 * MS
    assert held.patience_us(now_us=2600 * MS) == 1 * MS
    assert tenure().patience_us(now_us=0) == LAN.limit_us


def test_former_leader_has_stopped_before_the_next_one_starts() -> None:
    """A hung leader's units are told to stop at limit; the next leader's start after a timeout and settling."""
    for leader_timeout_us in (30 * MS, 500 * MS, 5_000 * MS):
        times = Times.of(leader_timeout_us)
        assert times.limit_us + times.ask_us < leader_timeout_us + times.settle_us


@pytest.mark.parametrize(
    ("role", "leader", "view"),
    [
        ("leader", {"id": "a"}, View.LEADS),
        ("leader", None, View.UNSURE),
        ("leader", {"id": "b"}, View.UNSURE),
        ("follower", {"id": "b"}, View.FOLLOWS),
        ("joining", None, View.FOLLOWS),
    ],
)
def test_status_is_judged(role: str, leader: dict[str, object] | None, view: View) -> None:
    assert judge({"node": {"id": "a", "role": role}, "leader": leader}) is view


def test_everything_that_the_target_pulls_in_is_stopped_with_it() -> None:
    shown = "Wants=web.service db.service\nRequires=\nBindsTo=kingd-leader.service\nConsistsOf=a.service web.service\n"
    assert wanted(shown) == ["a.service", "db.service", "web.service"]
