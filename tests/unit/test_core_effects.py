"""In which order the effects of a step are returned, and when they came about. (`Bench` looks at the order after each step of
all tests of the core.)"""

from kingd.core.effect import Event, EventKind, Multicast, Send
from kingd.core.wire.message import Grant, Resign
from tests.unit.scripted import Bench, Peer


def test_what_goes_to_other_hosts_comes_first_as_it_was_said() -> None:
    """Users are told that this node stops before the others are, as far as its rules go."""
    bench = Bench()
    bench.meet(Peer(node=60))
    effects = bench.perform(bench.core.stop(now_us=bench.now_us))
    said = [effect.datagram for effect in effects if isinstance(effect, Send | Multicast)]
    assert isinstance(said[0].body, Resign)
    assert [datagram.header.sequence for datagram in said] == sorted(datagram.header.sequence for datagram in said)
    told = effects[len(said) :]
    assert [effect.kind for effect in told if isinstance(effect, Event)] == [EventKind.STOPPING]


def test_event_has_the_time_of_the_step_that_brought_it_about() -> None:
    """A driver may tell it later."""
    bench, other = Bench(), Peer(node=60)
    bench.advance_ms(3)
    met_us = bench.now_us
    bench.meet(other)
    claim = bench.become_candidate()
    bench.advance_ms(7)
    bench.hear(other, Grant(term=claim.term, attempt=claim.attempt))
    told = {event.kind: event.at_us for event in bench.told()}
    assert (told[EventKind.MEMBER_JOINED], told[EventKind.ELECTED]) == (met_us, bench.now_us)
    assert met_us < bench.now_us
