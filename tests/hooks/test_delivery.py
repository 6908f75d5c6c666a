"""What is delivered next: tables of what the daemon said and what follows, and any order of it all (hypothesis)."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from kingd.control.answer import number
from kingd.control.client import JsonObject
from kingd.hooks.delivery import Delivery, Moment
from tests.cli.fake_kingd import BOX1, BOX2, event

NOW = Moment("2026-11-23T12:00:00.000Z", 7)


def elected(term: int, **more: object) -> JsonObject:
    return event("elected", role="leader", leader=BOX2, term=term, seq=term, **more)


def changed(term: int, name: str = "leader-changed", **more: object) -> JsonObject:
    return event(name, role="follower", leader=BOX1, term=term, seq=term, **more)


def lost(term: int) -> JsonObject:
    return event("leader-lost", role="candidate", leader=None, term=term, seq=term)


def names(delivery: Delivery) -> list[str]:
    """All that is delivered now, to its end."""
    found = []
    while (each := delivery.next(NOW)) is not None:
        delivery.begin(each)
        delivery.end(each)
        found.append(f"{each['event']} {each['term']}")
        assert len(found) < 9
    return found


def told(*events: JsonObject) -> Delivery:
    delivery = Delivery()
    for each in events:
        delivery.told(each)
    return delivery


def test_newest_state_replaces_what_was_not_delivered() -> None:
    assert names(told(changed(1), elected(2), changed(3, "deposed"), lost(4), changed(5))) == ["leader-changed 5"]


def test_h02_deposed_is_never_left_out_and_elected_not_late() -> None:
    delivery = told(elected(2))
    assert names(delivery) == ["elected 2"]
    for each in (changed(3, "deposed"), elected(4), changed(5, "deposed"), changed(6)):
        delivery.told(each)
    assert names(delivery) == ["deposed 5", "leader-changed 6"]


def test_second_leadership_has_the_end_of_the_first_before_it() -> None:
    delivery = told(elected(2))
    names(delivery)
    delivery.told(changed(3, "deposed"))
    delivery.told(elected(4))
    assert names(delivery) == ["deposed 3", "elected 4"]


def test_h03_newer_state_waits() -> None:
    delivery = told(elected(2))
    first = delivery.next(NOW)
    assert first is not None
    delivery.begin(first)
    assert not delivery.is_newer_waiting(first)
    delivery.told(changed(3, "deposed"))
    assert delivery.is_newer_waiting(first)


def test_same_state_on_a_new_stream_is_not_delivered_again() -> None:
    delivery = told(elected(2))
    names(delivery)
    delivery.told(elected(2, initial=True))
    assert names(delivery) == []
    delivery.told(changed(3, "deposed"))
    names(delivery)
    delivery.told(changed(3, initial=True))
    assert names(delivery) == []


def test_h06_drained_leadership_is_deposed_before_the_fact_and_then_told_who_leads() -> None:
    delivery = told(elected(2))
    names(delivery)
    delivery.drain(on=True)
    assert names(delivery) == ["deposed 2"]
    assert delivery.is_drained
    delivery.told(changed(3, "deposed"))
    delivery.drain(on=False)
    assert names(delivery) == ["leader-changed 3"]


def test_h06_own_deposed_that_comes_while_the_early_one_is_delivered_is_no_second_one() -> None:
    delivery = told(elected(2))
    names(delivery)
    delivery.drain(on=True)
    early = delivery.next(NOW)
    assert early is not None
    delivery.begin(early)
    delivery.told(changed(3, "deposed"))
    delivery.end(early)
    assert names(delivery) == ["leader-changed 3"]


def test_h06_hand_over_that_came_to_nothing_elects_again() -> None:
    delivery = told(elected(2))
    names(delivery)
    delivery.drain(on=True)
    assert names(delivery) == ["deposed 2"]
    delivery.drain(on=False)
    assert names(delivery) == ["elected 2"]


def test_elected_is_not_begun_while_leadership_is_handed_over() -> None:
    delivery = Delivery()
    delivery.drain(on=True)
    delivery.told(elected(2))
    assert names(delivery) == []


def test_h07_daemon_that_is_gone_is_a_lost_leader() -> None:
    delivery = told(elected(2))
    names(delivery)
    delivery.lost(NOW)
    assert names(delivery) == ["deposed 2", "leader-lost 2"]
    delivery.lost(NOW)
    assert names(delivery) == []


def test_announced_stop_is_no_loss_and_before_the_first_word_there_is_nothing_to_lose() -> None:
    delivery = told(event("stopping", role="follower", leader=BOX1))
    assert names(delivery) == ["stopping 12"]
    delivery.lost(NOW)
    assert names(delivery) == []
    unheard = Delivery()
    unheard.lost(NOW)
    assert names(unheard) == []


def test_stopping_is_the_last_word_of_a_daemon() -> None:
    delivery = told(elected(2))
    names(delivery)
    delivery.told(event("stopping", role="leader", leader=BOX2, term=2, seq=3))
    assert names(delivery) == ["deposed 2", "stopping 2"]
    delivery.told(changed(4, "deposed"))
    delivery.lost(NOW)
    assert names(delivery) == []
    delivery.told(changed(4, initial=True))
    assert names(delivery) == ["leader-changed 4"]


def test_stop_of_the_runner_leaves_nothing_open() -> None:
    delivery = told(elected(2))
    names(delivery)
    delivery.stop()
    assert names(delivery) == ["deposed 2"]


def test_h08_started_stands_between_two_elected_of_one_term() -> None:
    delivery = told(elected(2))
    names(delivery)
    delivery.stop()
    names(delivery)
    following = Delivery()
    following.redo_term = delivery.redo_term
    following.told(elected(2))
    assert names(following) == ["started 2", "elected 2"]


def test_h14_overlap_resolved_is_told_beside_the_state() -> None:
    delivery = told(elected(2), event("overlap-resolved", role="leader", leader=BOX2, term=2, seq=3))
    assert names(delivery) == ["elected 2", "overlap-resolved 2"]
    delivery.told(event("overlap-resolved", role="leader", leader=BOX2, term=2, seq=4))
    delivery.told(changed(5, "deposed"))
    assert names(delivery) == ["deposed 5"]


def test_h14_survivor_of_an_overlap_leads_on_under_its_new_term() -> None:
    delivery = told(elected(2))
    names(delivery)
    delivery.told(event("overlap-resolved", role="leader", leader=BOX2, term=5, seq=3))
    assert names(delivery) == ["overlap-resolved 5"]
    delivery.told(elected(5, initial=True))  # a new stream
    assert names(delivery) == []


HAPPENINGS = st.lists(
    st.sampled_from(["elected", "deposed", "leader-changed", "leader-lost", "gone", "drain", "drained", "deliver"]),
    max_size=40,
)


class Play:
    """A daemon that says what can be said, and a delivery that takes its time: what is begun ends at the next `deliver`."""

    def __init__(self) -> None:
        self.delivery = Delivery()
        self.delivered: list[JsonObject] = []
        self.leads = False
        self._under_way: JsonObject | None = None

    def happen(self, what: str, term: int) -> None:
        if what == "deliver":
            self.deliver()
        elif what == "gone":
            self.leads = False
            self.delivery.lost(NOW)
        elif what in ("drain", "drained"):
            self.delivery.drain(on=what == "drain")
        elif self.leads == (what == "deposed"):
            self.leads = what == "elected"
            self.delivery.told(
                elected(term) if self.leads else lost(term) if what == "leader-lost" else changed(term, what)
            )

    def deliver(self) -> bool:
        if self._under_way is not None:
            self.delivery.end(self._under_way)
        self._under_way = self.delivery.next(NOW)
        if self._under_way is not None:
            self.delivery.begin(self._under_way)
            self.delivered.append(self._under_way)
        return self._under_way is not None


@given(HAPPENINGS)
def test_h01_any_order_of_events_keeps_the_invariants(happenings: list[str]) -> None:
    play = Play()
    for term, each in enumerate([*happenings, "drained"], 1):
        play.happen(each, term)
    while play.deliver():
        assert len(play.delivered) < 300
    pairs = [each["event"] for each in play.delivered if each["event"] in ("elected", "deposed")]
    assert ("elected", "elected") not in list(pairwise(pairs))
    seqs = [number(each, "seq") for each in play.delivered]
    assert seqs == sorted(set(seqs))
    assert play.leads == (play.delivery.open is not None)
    if play.delivered:
        assert (play.delivered[-1]["role"] == "leader") == play.leads
