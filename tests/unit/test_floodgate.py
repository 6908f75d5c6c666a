"""When the kernel's filter goes up and comes down."""

from kingd.daemon.floodgate import Floodgate

SECOND = 1_000_000


def refuse(gate: Floodgate, *, per_second: int, from_us: int, seconds: float = 1.0) -> list[int]:
    """So many datagrams; when it changed its mind."""
    times = range(from_us, from_us + int(seconds * SECOND), SECOND // per_second)
    return [now_us for now_us in times if gate.refused(now_us)]


def test_strangers_as_they_happen_to_be_close_nothing() -> None:
    gate = Floodgate()
    assert refuse(gate, per_second=1_900, from_us=5 * SECOND, seconds=30) == []
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


def admitted(gate: Floodgate, *, from_us: int, cost_us: int) -> int:
    """How many of 100,000 strangers in a second."""
    count = 0
    for now_us in range(from_us, from_us + SECOND, 10):
        if gate.admits_stranger(now_us):
            gate.spend(cost_us * 1000)
            count += 1
    return count


def test_strangers_get_a_fifth_of_the_time_and_little_of_it_in_a_flood() -> None:
    gate = Floodgate()
    assert admitted(gate, from_us=SECOND, cost_us=50) * 50 in range(199_000, 202_000)
    assert admitted(gate, from_us=2 * SECOND, cost_us=1) == 100_000  # one each 10 us
    refuse(gate, per_second=50_000, from_us=3 * SECOND)
    assert gate.closed
    assert admitted(gate, from_us=5 * SECOND, cost_us=50) * 50 in range(49_000, 52_000)


def test_one_that_costs_more_than_all_there_is_is_one() -> None:
    gate = Floodgate()
    assert gate.admits_stranger(SECOND)
    gate.spend(10**12)
    assert not gate.admits_stranger(SECOND + 1)
    assert gate.admits_stranger(2 * SECOND)


def test_copies_that_the_network_makes_are_no_flood_and_do_not_keep_it_closed() -> None:
    gate = Floodgate()
    assert not any(gate.copied(now_us) for now_us in range(0, 5 * SECOND, SECOND // 4_900))
    refuse(gate, per_second=50_000, from_us=6 * SECOND)
    assert gate.closed
    for now_us in range(7 * SECOND, 20 * SECOND, SECOND // 200):
        gate.copied(now_us)
    assert gate.rest(20 * SECOND)


def test_copies_by_the_thousand_are_a_flood() -> None:
    gate = Floodgate()
    assert sum(gate.copied(now_us) for now_us in range(0, SECOND, SECOND // 50_000)) == 1
    assert gate.closed


def test_crowd_after_a_power_cut_is_no_flood_and_more_is() -> None:
    gate = Floodgate()
    assert not any(gate.turned_away(now_us) for now_us in range(0, 5 * SECOND, SECOND // 4_900))
    assert sum(gate.turned_away(now_us) for now_us in range(6 * SECOND, 7 * SECOND, SECOND // 50_000)) == 1
