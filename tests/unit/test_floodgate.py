"""When the kernel's filter goes up and comes down."""

from kingd.daemon.floodgate import Floodgate

SECOND = 1_000_000


def refuse(gate: Floodgate, *, per_second: int, from_us: int, seconds: float = 1.0) -> list[int]:
    """So many datagrams; when it changed its mind."""
    times = range(from_us, from_us + int(seconds * SECOND), SECOND // per_second)
    return [now_us for now_us in times if gate.refused(now_us)]


def test_strangers_as_they_happen_to_be_close_nothing() -> None:
    gate = Floodgate()
    assert refuse(gate, per_second=4_900, from_us=5 * SECOND, seconds=30) == []
    assert not gate.closed


def test_flood_closes_it_within_a_second_and_once() -> None:
    gate = Floodgate()
    (closed_us,) = refuse(gate, per_second=50_000, from_us=5 * SECOND, seconds=2)
    assert closed_us < 5.2 * SECOND
    assert gate.closed


def test_it_stays_closed_while_the_sample_says_that_the_flood_goes_on() -> None:
    gate = Floodgate()
    refuse(gate, per_second=50_000, from_us=0)
    for second in range(1, 60):
        assert refuse(gate, per_second=50_000 // 64, from_us=second * SECOND) == []
        assert not gate.rest((second + 1) * SECOND)
    assert gate.closed


def test_it_opens_when_the_flood_is_over_for_ten_seconds() -> None:
    gate = Floodgate()
    refuse(gate, per_second=10_000, from_us=0)
    assert not gate.rest(9 * SECOND)
    refuse(gate, per_second=2, from_us=9 * SECOND, seconds=2)  # strangers, and no flood
    assert gate.rest(12 * SECOND)
    assert not gate.closed
    assert not gate.rest(13 * SECOND)


def test_next_flood_closes_it_again() -> None:
    gate = Floodgate()
    for begin_us in (0, 100 * SECOND):
        assert len(refuse(gate, per_second=10_000, from_us=begin_us)) == 1
        assert gate.rest(begin_us + 12 * SECOND)
