"""The one promise of a node. docs/protocol.md 4.2."""

from dataclasses import replace

import pytest

from kingd.core.state.promise import Promise
from kingd.core.wire.message import NO_BALLOT, NodeId, SessionId, Ticket
from tests.unit.scripted import ballot

HOLDER, OTHER = SessionId(11), SessionId(22)
TICKET = Ticket(ballot=ballot(5, 1), session=HOLDER, successor=NodeId(2), successor_session=OTHER)


@pytest.fixture
def promise() -> Promise:
    """To node 1, term 5, until 100."""
    promise = Promise()
    promise.give(ballot(5, 1), HOLDER, until_us=100, led=True)
    return promise


def test_nothing_is_promised_at_the_start() -> None:
    promise = Promise()
    assert promise.floor == NO_BALLOT
    assert not promise.is_live(0)
    assert not promise.is_held_by(SessionId(0))


@pytest.mark.parametrize(("now_us", "live"), [(0, True), (99, True), (100, False), (1000, False)])
def test_promise_lives_until_its_time_and_no_longer(promise: Promise, now_us: int, live: bool) -> None:
    assert promise.is_live(now_us) is live


def test_release_keeps_the_floor(promise: Promise) -> None:
    promise.release()
    assert not promise.is_live(0)
    assert promise.floor == ballot(5, 1)
    with pytest.raises(AssertionError):
        promise.give(ballot(4, 9), OTHER, until_us=100, led=False)


def test_renewal_never_shortens_and_never_changes_the_holder(promise: Promise) -> None:
    promise.renew(ballot(5, 1), until_us=50)
    assert promise.until_us == 100
    promise.renew(ballot(6, 1), until_us=150)
    assert (promise.until_us, promise.floor) == (150, ballot(6, 1))
    with pytest.raises(AssertionError):
        promise.renew(ballot(7, 2), until_us=200)
    with pytest.raises(AssertionError):
        promise.renew(ballot(5, 1), until_us=200)


def test_raise_that_is_allowed_is_a_floor_before_it_is_led(promise: Promise) -> None:
    """Nobody else gets the higher term; the holder is followed under its old one until it leads under the new one."""
    promise.allow_raise(ballot(9, 1), until_us=120)
    assert (promise.floor, promise.expected, promise.until_us) == (ballot(9, 1), ballot(5, 1), 120)
    promise.renew(ballot(5, 1), until_us=130)
    assert (promise.floor, promise.expected) == (ballot(9, 1), ballot(5, 1))
    assert not promise.is_free_by(
        TICKET, node=2, session=OTHER
    )  # the holder has asked for more since, and counts on it
    promise.renew(ballot(9, 1), until_us=140)
    assert promise.expected == ballot(9, 1)
    with pytest.raises(AssertionError):
        promise.renew(ballot(5, 1), until_us=150)


@pytest.mark.parametrize(
    ("what", "ticket", "frees"),
    [
        ("none", None, False),
        ("exact", TICKET, True),
        ("of another ballot", replace(TICKET, ballot=ballot(4, 1)), False),
        ("of a later ballot", replace(TICKET, ballot=ballot(6, 1)), False),
        ("of another session", replace(TICKET, session=SessionId(12)), False),
        ("for another node", replace(TICKET, successor=NodeId(3)), False),
        ("for another session", replace(TICKET, successor_session=SessionId(23)), False),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_024_only_the_exact_ticket_frees_a_promise(
    promise: Promise, what: str, ticket: Ticket | None, frees: bool
) -> None:
    assert promise.is_free_by(ticket, node=2, session=OTHER) is frees


def test_ticket_is_for_its_bearer_only(promise: Promise) -> None:
    assert not promise.is_free_by(TICKET, node=3, session=SessionId(33))
