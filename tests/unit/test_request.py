"""What is asked again and then given up has one clock. docs/architecture.md, "A request"."""

import pytest

from kingd.core.state.request import Request
from kingd.core.timing import MS, Timing
from kingd.core.wire.message import Claim, Grant, Offer, Ready, Reason, Role
from tests.unit.scripted import Bench, Peer, ballot


def test_goes_out_again_after_30_80_and_160_ms_and_is_given_up_at_its_limit() -> None:
    request = Request(1_000, Timing().asks_us(250 * MS))
    due_us = [request.due_us]
    while request.again():
        due_us.append(request.due_us)
    assert due_us == [1_000 + ms * MS for ms in (30, 80, 160, 250)]


def test_time_in_which_this_node_did_not_run_is_no_silence() -> None:
    request = Request(1_000, (30, 80))
    request.excuse(7)
    assert (request.sent_us, request.due_us) == (1_000, 1_037)


def test_answer_of_another_puts_off_what_is_asked_again_and_the_end() -> None:
    request = Request(1_000, (30, 80))
    request.go_on(1_020)  # sooner than it is due
    assert request.due_us == 1_030
    request.go_on(1_100)
    assert request.due_us == 1_100
    assert request.again()
    assert (request.due_us, request.again()) == (1_150, False)


@pytest.mark.parametrize(
    ("heard_us", "now_us", "in_vain"),
    [(100, 150, True), (100, 149, False), (99, 150, True), (101, 150, False), (101, 1_000, False)],
)
def test_in_vain_is_what_was_asked_after_the_last_word_and_long_enough_ago(
    heard_us: int, now_us: int, in_vain: bool
) -> None:
    assert Request(100, (200,)).is_in_vain(heard_us=heard_us, now_us=now_us, wait_us=50) is in_vain


def test_second_answer_to_a_preparation_does_not_end_what_the_leader_is_told() -> None:
    """Both copies of a claim that went out twice are answered. What came of the first answer stands."""
    bench, leader, other = Bench(), Peer(node=70).leads(5), Peer(node=60, priority=10)
    bench.meet(leader, other)
    bench.hear(leader, Offer(ballot=ballot(5, 70), reason=Reason.STEP_DOWN))
    claim = bench.answer(other, Claim)
    bench.clear()
    for _ in range(2):
        bench.hear(other, Grant(term=claim.term, attempt=claim.attempt, pre_vote=True))
    bench.advance_ms(200)
    assert len(bench.sent(Ready)) == 4
    assert bench.role() is Role.FOLLOWER
