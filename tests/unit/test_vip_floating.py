"""One floating address: when it comes, is refreshed and announced, and goes."""

import pytest

from kingd.vip.floating import Act, Link, Present, State
from tests.unit.vip_world import DOWN, OTHER_MAC, SECOND, UNPLUGGED, UP, World


def test_v01_takeover_adds_and_announces_at_once_without_a_probe() -> None:
    world = World()
    assert world.turn() == [Act.ADD, Act.ANNOUNCE]
    assert world.address.state is State.HELD


def test_v05_announced_over_five_seconds_and_then_each_minute() -> None:
    world = World()
    world.run(130)
    assert world.at(Act.ANNOUNCE) == [0, 0.05, 0.25, 1.2, 2.4, 5, 65, 125]


def test_v05_announced_anew_after_a_suspend() -> None:
    """The kernel does not count an address's life meanwhile, and of a host that is alone the same leadership goes on."""
    world = World()
    world.run(30)
    world.now_us += 3600 * SECOND
    assert world.turn() == [Act.REFRESH, Act.ANNOUNCE]
    world.run(2)
    assert world.at(Act.ANNOUNCE)[-4:] == [3630, 3630.05, 3630.25, 3631.2]


def test_v12_refreshed_each_second_and_removed_when_leadership_has_ended() -> None:
    world = World()
    world.run(3.5)
    assert world.at(Act.REFRESH) == [1, 2, 3]
    world.leadership = None
    assert world.turn() == [Act.REMOVE]
    assert world.turn() == []
    assert world.address.state is State.IDLE


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
