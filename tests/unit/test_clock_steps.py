"""What a look at three clocks every few seconds finds."""

from kingd.daemon.clock_steps import ClockSteps

S = 1_000_000


def steps(*looks: tuple[float, float, float]) -> list[tuple[object, object, object]]:
    """Each look: seconds of CLOCK_BOOTTIME, CLOCK_REALTIME and CLOCK_MONOTONIC."""
    found = ClockSteps()
    for boot, wall, running in looks:
        found.compare(boot_us=round(boot * S), wall_us=round(wall * S), running_us=round(running * S))
    return [(each["kind"], each["by_ms"], each["ago_ms"]) for each in found.told(round(looks[-1][0] * S))]


def test_clocks_that_run_on_show_nothing() -> None:
    assert steps((0, 1000, 0), (5, 1005.002, 5), (10, 1010.004, 10)) == []


def test_time_that_was_set_is_told_with_how_much_and_when() -> None:
    assert steps((0, 1000, 0), (5, 8205, 5), (65, 8265, 65)) == [("clock-step", 7_200_000, 60_000)]


def test_suspend_is_told_apart() -> None:
    assert steps((0, 1000, 0), (95, 1095, 5)) == [("suspend", 90_000, 0)]


def test_only_the_last_are_kept() -> None:
    looks = [(n, 1000 + 10 * n, n) for n in range(50)]
    assert len(steps(*looks)) == 8
