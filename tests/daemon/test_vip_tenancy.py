"""Whether this host is to have the addresses, by what a fake kingd says. The two threads that listen are not started: what
they would hear is put where they would put it."""

import os
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from kingd.acting.news import Told
from kingd.vip.tenancy import Tenancy
from tests.cli.fake_kingd import BOX1, BOX2, FakeKingd, running, status

LEADS = status(role="leader", leader=BOX2)
FOLLOWS = status(role="follower", leader=BOX1)


@pytest.fixture
def kingd(tmp_path: Path) -> Iterator[FakeKingd]:
    with running(tmp_path / "control.sock") as kingd:
        yield kingd


@pytest.fixture
def tenancy(kingd: FakeKingd) -> Iterator[Tenancy]:
    with closing(Tenancy(str(kingd.path))) as tenancy:
        yield tenancy


def turned(tenancy: Tenancy, *, told: Told | None = None) -> Tenancy:
    tenancy.news.told = told or tenancy.news.told
    os.write(tenancy.news.waker, b".")
    tenancy.turn()
    return tenancy


def draining(on: bool) -> Told:
    return Told(draining=on, exclusive=False)


def test_first_leader_of_all_succeeds_nobody_and_the_next_one_does(kingd: FakeKingd, tenancy: Tenancy) -> None:
    kingd.service.status_is = LEADS
    assert turned(tenancy).leadership is not None
    assert not tenancy.succeeds
    kingd.service.status_is = FOLLOWS
    assert turned(tenancy).leadership is None
    kingd.service.status_is = status(role="candidate", leader=None)
    assert turned(tenancy).leadership is None
    kingd.service.status_is = LEADS | {"term": 13}
    assert turned(tenancy).leadership is not None
    assert tenancy.succeeds


def test_v02_leader_that_was_not_sure_for_a_moment_succeeds_nobody(kingd: FakeKingd, tenancy: Tenancy) -> None:
    """That it led itself does not say whose the addresses are: it may have been asking."""
    for said in (LEADS, status(role="candidate", leader=None), LEADS):
        kingd.service.status_is = said
        assert (turned(tenancy).leadership is not None) == (said is LEADS)
    assert not tenancy.succeeds


def test_end_of_a_hand_over_is_no_reason_to_believe_the_answer_before_it(kingd: FakeKingd, tenancy: Tenancy) -> None:
    """It comes on another connection than who leads; what wakes us may come later than either."""
    kingd.service.status_is = LEADS
    assert turned(tenancy, told=draining(True)).is_draining
    assert tenancy.leadership is not None
    kingd.service.status_is = FOLLOWS
    tenancy.news.told = draining(False)
    tenancy.turn()  # for another reason: nothing has woken us yet
    assert not tenancy.is_draining
    assert tenancy.leadership is None


def test_v12_leadership_ends_by_our_own_clock_when_nothing_clear_is_said(kingd: FakeKingd, tenancy: Tenancy) -> None:
    kingd.service.status_is = LEADS | {"valid_ms": 300}
    began_s = time.monotonic()
    assert turned(tenancy).leadership is not None
    kingd.service.status_is = status(role="candidate", leader=None, reason="stalled")
    while tenancy.leadership is not None:
        assert time.monotonic() - began_s < 10
        tenancy.turn()
    assert time.monotonic() - began_s >= 0.27  # nine tenths: it was not given up for that answer
    kingd.service.status_is = LEADS
    while tenancy.leadership is None:  # asked again, though nothing wakes us
        assert time.monotonic() - began_s < 10
        tenancy.turn()


def test_v12_leadership_ends_with_the_daemon(kingd: FakeKingd, tenancy: Tenancy) -> None:
    kingd.service.status_is = LEADS
    assert turned(tenancy).leadership is not None
    kingd.close()
    assert turned(tenancy).leadership is None
