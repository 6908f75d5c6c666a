"""How fast a lab starts."""

from kingd.lab.pace import AT_ONCE_MAX, LONG_S, SOON_S, Pace


def test_more_at_once_while_they_find_their_leader_soon() -> None:
    pace = Pace(processors=2)
    assert pace.at_once == 4
    pace.found(SOON_S / 2)
    assert pace.at_once == 5
    for _ in range(100):
        pace.found(SOON_S / 2)
    assert pace.at_once == 2 * AT_ONCE_MAX


def test_half_as_many_when_one_took_long_and_never_none() -> None:
    pace = Pace(processors=4)
    pace.found((SOON_S + LONG_S) / 2)
    assert pace.at_once == 7
    pace.found(2 * LONG_S)
    assert pace.at_once == 3
    for _ in range(10):
        pace.found(60.0)
    assert pace.at_once == 1
    pace.found(SOON_S / 2)
    assert pace.at_once == 2
