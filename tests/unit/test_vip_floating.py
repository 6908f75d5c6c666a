"""One floating address, on a clock of its own: docs/vip.md."""

import pytest

from kingd.vip.floating import Act, Facts, Floating, Link, Present, State

MS, SECOND = 1_000, 1_000_000
UP = Link(2, b"\2\0\0\0\0\1", is_up=True, has_carrier=True)
DOWN = Link(2, UP.mac, is_up=False, has_carrier=False)
UNPLUGGED = Link(2, UP.mac, is_up=True, has_carrier=False)
OTHER_MAC = Link(2, b"\2\0\0\0\0\7", is_up=True, has_carrier=True)


class World:
    """The kernel does what it is told, and nothing expires."""

    def __init__(self, *, succeeds: bool = True, link: Link | None = UP, present: Present = Present.ABSENT) -> None:
        self.address = Floating()
        self.now_us = 0
        self.leadership: object = 1
        self.succeeds, self.link, self.present = succeeds, link, present
        if succeeds:
            self.address.announced(now_us=self.now_us)
        self.acts: list[tuple[float, Act]] = []

    def turn(self) -> list[Act]:
        facts = Facts(
            leadership=self.leadership,
            other_leads=self.leadership is None,
            succeeds=self.succeeds,
            link=self.link,
            present=self.present,
        )
        acts = self.address.turn(facts, now_us=self.now_us)
        assert self.address.next_us > self.now_us
        for act in acts:
            if act is Act.ADD:
                self.present = Present.OURS
            elif act is Act.REMOVE:
                self.present = Present.ABSENT
        self.acts += [(self.now_us / SECOND, act) for act in acts]
        return acts

    def run(self, seconds: float) -> None:
        end_us = self.now_us + int(seconds * SECOND)
        self.turn()
        while self.address.next_us <= end_us:
            self.now_us = self.address.next_us
            self.turn()
        self.now_us = end_us

    def at(self, act: Act) -> list[float]:
        return [at for at, what in self.acts if what is act]


def test_v01_takeover_adds_and_announces_at_once_without_a_probe() -> None:
    world = World()
    assert world.turn() == [Act.ADD, Act.ANNOUNCE]
    assert world.address.state is State.HELD


def test_v05_announced_over_five_seconds_and_then_each_minute() -> None:
    world = World()
    world.run(130)
    assert world.at(Act.ANNOUNCE) == [0, 0.05, 0.25, 1.2, 2.4, 5, 65, 125]


def test_v12_refreshed_each_second_and_removed_when_leadership_has_ended() -> None:
    world = World()
    world.run(3.5)
    assert world.at(Act.REFRESH) == [1, 2, 3]
    world.leadership = None
    assert world.turn() == [Act.REMOVE]
    assert world.turn() == []
    assert world.address.state is State.IDLE


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


def test_v03_member_that_answers_has_not_let_go_yet() -> None:
    world = World(succeeds=False)
    world.turn()
    world.address.claimed("02:00:00:00:00:99", by_member=True, now_us=world.now_us)
    assert world.turn() == [Act.ADD, Act.ANNOUNCE]


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


@pytest.mark.parametrize("present", [Present.ABSENT, Present.OURS])
def test_v11_what_a_former_process_has_left_is_taken_over_or_removed(present: Present) -> None:
    world = World(succeeds=False, present=Present.OURS)
    assert world.turn() == [Act.REFRESH, Act.ANNOUNCE]
    world = World(present=present)
    world.leadership = None
    assert world.turn() == ([Act.REMOVE] if present is Present.OURS else [])


def test_v11_address_of_the_administrator_is_left_alone() -> None:
    world = World(present=Present.FOREIGN)
    world.run(10)
    world.leadership = None
    world.run(1)
    assert world.acts == []
    world = World()
    world.turn()
    world.present = Present.FOREIGN  # replaced by hand, while it was ours
    world.run(10)
    assert world.address.state is State.FOREIGN
    assert [act for _, act in world.acts] == [Act.ADD, Act.ANNOUNCE]


def test_v17_address_that_was_flushed_is_there_again_and_announced() -> None:
    world = World()
    world.run(2.5)
    world.present = Present.ABSENT
    assert world.turn() == [Act.ADD, Act.ANNOUNCE]
    assert world.address.lost == 1


@pytest.mark.parametrize("link", [None, DOWN])
def test_v16_interface_that_is_not_there_is_waited_for(link: Link | None) -> None:
    world = World(link=link)
    world.run(5)
    assert (world.acts, world.address.state) == ([], State.WAITING)
    assert world.address.why
    world.link = UP
    assert world.turn() == [Act.ADD, Act.ANNOUNCE]


def test_v16_announced_anew_when_the_carrier_or_another_mac_comes_and_no_more_than_once_a_second() -> None:
    world = World(link=UNPLUGGED)
    world.run(10)
    assert (world.at(Act.ADD), world.at(Act.ANNOUNCE)) == ([0], [])
    world.link = UP
    world.run(10)
    assert world.at(Act.ANNOUNCE)[:2] == [10, 10.05]
    world.link = OTHER_MAC
    world.run(10)
    assert [at for at in world.at(Act.ANNOUNCE) if at >= 20][:2] == [20, 20.05]
    before = len(world.at(Act.ANNOUNCE))
    for number in range(100):
        world.link = UP if number % 2 else OTHER_MAC
        world.run(0.01)
    assert len(world.at(Act.ANNOUNCE)) - before <= 4


def test_v16_cold_claim_waits_for_a_carrier() -> None:
    world = World(succeeds=False, link=UNPLUGGED)
    world.run(5)
    assert (world.acts, world.address.state) == ([], State.WAITING)


def test_new_term_is_announced_anew() -> None:
    """As after an overlap: the LAN may have learned the other one."""
    world = World()
    world.run(10)
    world.leadership = 2
    assert Act.ANNOUNCE in world.turn()


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


def test_what_failed_is_tried_again_a_second_later() -> None:
    world = World()
    world.turn()
    world.present = Present.ABSENT
    world.address.failed("no", now_us=world.now_us)
    assert (world.address.state, world.address.why) == (State.WAITING, "no")
    world.run(1)
    assert world.at(Act.ADD) == [0, 1]


def test_interface_without_ethernet_gets_the_address_and_nobody_is_told() -> None:
    world = World(succeeds=False, link=Link(2, b"", is_up=True, has_carrier=True))
    world.run(10)
    assert {act for _, act in world.acts} == {Act.ADD, Act.REFRESH}
