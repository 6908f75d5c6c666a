"""Whether this host is to have the addresses, by what a fake kingd says."""

import select
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from kingd.control.service import JsonObject
from kingd.daemon.clock import now_us
from kingd.vip.tenancy import NAME, Tenancy
from tests.cli.fake_kingd import BOX1, BOX2, FakeKingd, running, status

LEADS = status(role="leader", leader=BOX2)
FOLLOWS = status(role="follower", leader=BOX1)
SEEKS = status(role="candidate", leader=None)
LIMIT_S = 10


@pytest.fixture
def kingd(tmp_path: Path) -> Iterator[FakeKingd]:
    with running(tmp_path / "control.sock") as kingd:
        kingd.service.status_is = SEEKS
        yield kingd


@pytest.fixture
def tenancy(kingd: FakeKingd) -> Iterator[Tenancy]:
    with closing(Tenancy(str(kingd.path))) as tenancy:
        until(tenancy, lambda: NAME in kingd.service.names_held)
        yield tenancy


def until(tenancy: Tenancy, condition: Callable[[], bool]) -> None:
    """Turned as the runner does it: when there is news, and when it is time."""
    end_s = time.monotonic() + LIMIT_S
    tenancy.turn()
    while not condition():
        assert time.monotonic() < end_s
        select.select([tenancy], [], [], min(max(tenancy.next_us - now_us(), 0) / 1e6, 0.1))
        tenancy.turn()


def told(kingd: FakeKingd, tenancy: Tenancy, said: JsonObject) -> Tenancy:
    """It is on the connection when `do` has ended."""
    kingd.service.status_is = said
    kingd.do(lambda: kingd.service.emit(kingd.service.present))
    tenancy.turn()
    return tenancy


def test_hand_over_that_it_has_not_heard_of_does_not_wait_for_who_ends(kingd: FakeKingd, tenancy: Tenancy) -> None:
    tenancy.close()
    assert ("drained", NAME) in kingd.service.calls


def test_first_leader_of_all_succeeds_nobody_and_the_next_one_does(kingd: FakeKingd, tenancy: Tenancy) -> None:
    assert told(kingd, tenancy, LEADS).leadership is not None
    assert not tenancy.succeeds
    assert told(kingd, tenancy, FOLLOWS).leadership is None
    assert told(kingd, tenancy, SEEKS).leadership is None
    assert told(kingd, tenancy, LEADS | {"term": 13}).leadership is not None
    assert tenancy.succeeds


def test_v02_leader_that_was_not_sure_for_a_moment_succeeds_nobody(kingd: FakeKingd, tenancy: Tenancy) -> None:
    """That it led itself does not say whose the addresses are: it may have been asking."""
    for said in (LEADS, SEEKS, LEADS):
        assert (told(kingd, tenancy, said).leadership is not None) == (said is LEADS)
    assert not tenancy.succeeds


def test_v13_hand_over_and_who_leads_since_are_told_together(kingd: FakeKingd, tenancy: Tenancy) -> None:
    def found() -> tuple[bool, bool]:
        tenancy.turn()
        return tenancy.is_draining, tenancy.leadership is not None

    told(kingd, tenancy, LEADS)
    kingd.do(lambda: kingd.service.tell_to_drain(True))
    assert found() == (True, True)
    kingd.service.status_is = FOLLOWS
    kingd.do(lambda: kingd.service.tell_to_drain(False))
    assert found() == (False, False)


def test_v12_leadership_ends_by_our_own_clock_when_nothing_clear_is_said(kingd: FakeKingd, tenancy: Tenancy) -> None:
    began_s = time.monotonic()
    assert told(kingd, tenancy, LEADS | {"valid_ms": 300}).leadership is not None
    told(kingd, tenancy, status(role="candidate", leader=None, reason="stalled"))
    until(tenancy, lambda: tenancy.leadership is None)
    assert time.monotonic() - began_s >= 0.27  # nine tenths: it was not given up for that answer
    kingd.service.status_is = LEADS
    until(tenancy, lambda: tenancy.leadership is not None)  # said again, though nothing has changed hands


def test_v12_leadership_ends_with_the_daemon(kingd: FakeKingd, tenancy: Tenancy) -> None:
    assert told(kingd, tenancy, LEADS).leadership is not None
    kingd.close()
    until(tenancy, lambda: tenancy.leadership is None)
