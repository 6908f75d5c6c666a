"""Whose a floating address is: asked, answered, claimed by others."""

import pytest

from kingd.vip.floating import Act, Present, State
from tests.unit.vip_world import SECOND, UNPLUGGED, UP, World


def test_v02_cold_claim_probes_first() -> None:
    world = World(succeeds=False)
    world.run(0.4)
    assert world.at(Act.PROBE) == [0, 0.1, 0.2]
    assert world.at(Act.ADD) == [0.3]
    assert world.at(Act.ANNOUNCE)[0] == 0.3


def test_v02_stranger_that_answers_keeps_it_and_is_asked_again_ever_less_often() -> None:
    world = World(succeeds=False)
    begun = []
    for _ in range(9):
        world.turn()
        begun.append(world.now_us // SECOND)
        assert len(world.at(Act.PROBE)) == len(begun)
        world.address.claimed("02:00:00:00:00:99", by_member=False, now_us=world.now_us)
        assert world.address.state is State.CONFLICT
        assert "02:00:00:00:00:99" in world.address.why
        world.turn()
        world.now_us = world.address.next_us
    assert begun == [0, 1, 3, 7, 15, 31, 63, 123, 183]
    assert world.at(Act.ADD) == []
    assert world.address.conflicts == 9
    world.succeeds = True  # a new term of one's own is no better right
    world.leadership = 2
    world.run(1)
    assert world.at(Act.ADD) == pytest.approx([world.at(Act.PROBE)[-1] + 0.1])


def test_v02_stranger_keeps_it_when_leadership_was_not_sure_for_a_moment() -> None:
    """The same term, or a new one after another host's: neither has asked again."""
    world = World(succeeds=False)
    world.turn()
    world.address.claimed("02:00:00:00:00:99", by_member=False, now_us=world.now_us)
    states = []
    for leadership, succeeds in ((None, False), (1, False), (None, False), (3, True)):
        world.leadership, world.succeeds = leadership, succeeds
        assert Act.ADD not in world.turn()
        states.append(world.address.state)
    assert states == [State.IDLE, State.CONFLICT, State.IDLE, State.CONFLICT]
    assert "02:00:00:00:00:99" in world.address.why
    world.leadership = None
    world.run(5)
    world.leadership = 5
    world.link = UNPLUGGED
    assert world.turn() == []
    world.link = UP
    assert world.turn() == [Act.PROBE]
    world.run(2)
    assert len(world.at(Act.ADD)) == 1  # it has gone
    world.leadership = None
    world.turn()
    world.leadership = 7
    assert world.turn() == [Act.ADD, Act.ANNOUNCE]


def test_v02_pause_while_it_is_asked_is_no_answer() -> None:
    world = World(succeeds=False)
    world.turn()
    world.now_us = 30 * SECOND  # the process did not run
    world.run(1)
    assert world.at(Act.PROBE) == [0, 30, 30.1]
    assert world.at(Act.ADD) == [30.2]


def test_v02_who_did_not_end_to_ask_asks_anew_and_who_held_it_does_not() -> None:
    world = World(succeeds=False)
    world.run(0.15)
    for _ in range(2):
        world.leadership = None
        world.run(1)
        world.leadership = 1
        world.run(1)
    assert world.at(Act.PROBE) == pytest.approx([0, 0.1, 0.15, 1.15, 1.25, 1.35])  # one beside the leader
    assert world.at(Act.ADD) == pytest.approx([1.45, 3.15])
    world.leadership = None
    world.run(61)  # it may be somebody else's by now
    world.leadership = 1
    assert world.turn() == [Act.PROBE]


@pytest.mark.parametrize("is_held", [False, True])
def test_v02_successor_knows_whether_the_leader_before_held_it(is_held: bool) -> None:
    """It has asked, and whoever holds it by kingd-vip says so again; a kernel that answers at once may be anybody's."""
    world = World()
    world.leadership = None
    world.link = UNPLUGGED
    world.turn()  # what was announced until then may not be so any more
    world.link = UP
    assert world.turn() == [Act.PROBE]
    world.address.announced(now_us=world.now_us)
    world.run(1.2)
    if is_held:
        world.address.announced(now_us=world.now_us)
    world.run(30)
    assert world.at(Act.PROBE) == ([0] if is_held else [0, 3, 6])
    world.leadership = 2
    assert world.turn() == ([Act.ADD, Act.ANNOUNCE] if is_held else [Act.PROBE])


def test_v02_question_of_another_host_is_answered_by_who_holds_it_and_leaves_the_others_unsure() -> None:
    """Also a leader asks, whom a stranger keeps from holding it."""
    world = World()
    world.run(100)
    world.address.asked(now_us=world.now_us)
    world.run(10)
    assert [at for at in world.at(Act.ANNOUNCE) if at >= 100] == pytest.approx([100, 100.05, 100.25, 101.2, 102.4, 105])
    world = World()
    world.address.asked(now_us=world.now_us)
    assert world.turn() == [Act.PROBE]


def test_v02_question_of_one_is_that_of_all() -> None:
    """A host that starts among hundreds does not make each of them ask."""
    world = World()
    world.leadership = None
    world.turn()
    world.address.asked(now_us=world.now_us)
    assert world.turn() == []
    world.run(1.2)
    world.address.announced(now_us=world.now_us)
    world.run(30)
    assert world.at(Act.PROBE) == []


def test_v02_who_lets_go_does_not_make_the_next_one_unsure() -> None:
    """It asks later, if it does not hear by itself that somebody has it."""
    world = World(succeeds=False)
    world.run(1)
    world.leadership = None
    assert world.turn() == [Act.REMOVE]
    world.run(10)
    assert world.at(Act.PROBE) == pytest.approx([0, 0.1, 0.2, 4, 7, 10])
    world = World(succeeds=False)
    world.run(1)
    world.leadership, world.is_handing_over = None, True
    world.run(20)
    world.is_handing_over = False
    world.run(5)
    assert world.at(Act.PROBE) == pytest.approx([0, 0.1, 0.2, 24])
    world = World(succeeds=False)
    world.run(1)
    world.leadership = None
    world.turn()
    world.address.announced(now_us=world.now_us)
    world.run(30)
    assert world.at(Act.PROBE) == [0, 0.1, 0.2]


def test_v03_member_that_answers_has_not_let_go_yet() -> None:
    world = World(succeeds=False)
    world.turn()
    world.address.claimed("b", by_member=True, now_us=world.now_us)
    assert world.turn() == [Act.ADD, Act.ANNOUNCE]
    assert (world.address.state, world.address.why) == (State.HELD, "b has it, too: it is to be removed there")


def test_v03_member_that_answers_is_told_and_asked_until_it_has_let_go() -> None:
    world = World(succeeds=False)
    world.turn()
    world.address.claimed("b", by_member=True, now_us=world.now_us)
    world.run(5.5)
    assert world.at(Act.PROBE) == [0, 5]
    assert [at for at in world.at(Act.ANNOUNCE) if at >= 5] == [5, 5.05, 5.25]
    world.address.claimed("b", by_member=True, now_us=world.now_us)  # it answers
    world.run(20)
    assert world.at(Act.PROBE) == [0, 5, 15.5]
    assert world.address.why == ""  # it does not answer any more


def test_v03_member_that_claims_it_later_is_named_until_it_does_not_answer() -> None:
    world = World()
    world.run(20)
    world.address.claimed("b", by_member=True, now_us=world.now_us)
    world.run(1)
    assert world.address.why.startswith("b has it, too")
    world.leadership = None
    world.turn()
    world.leadership = 2
    world.run(1)
    assert world.address.why == ""


def test_v03_host_that_has_what_the_leader_announces_says_so() -> None:
    world = World(present=Present.FOREIGN)
    world.leadership = None
    world.run(1)
    assert world.address.state is State.IDLE
    assert world.address.why.endswith("and not from kingd-vip: remove it here")
    world.present = Present.ABSENT
    world.run(1)
    assert world.address.why == ""


def test_v04_claim_of_another_host_is_answered_once_in_ten_seconds() -> None:
    world = World()
    world.run(20)
    before = len(world.acts)
    for _ in range(100):
        world.address.claimed("02:00:00:00:00:99", by_member=False, now_us=world.now_us)
        world.run(0.1)
    assert [at for at, act in world.acts[before:] if act is Act.ANNOUNCE] == [20, 30]
    assert world.address.conflicts == 100
    assert world.address.state is State.HELD


def test_v19_announcement_of_the_leader_that_does_not_come_is_told() -> None:
    world = World(succeeds=False)
    world.leadership = None
    world.run(8)
    assert (world.at(Act.PROBE), world.address.why) == ([0, 3, 6], "")
    world.run(2)
    world.address.asked(now_us=world.now_us)  # by a leader whom a stranger keeps from it, again and again
    world.run(30)
    assert (world.address.state, world.at(Act.PROBE)) == (State.IDLE, [0, 3, 6])
    assert "does not come here" in world.address.why
    world.address.announced(now_us=world.now_us)
    world.turn()
    assert world.address.why == ""
