"""In which order the effects of a step are returned. (`Bench` looks at it after each step of all tests of the core.)"""

from kingd.core.effect import Event, EventKind, Multicast, Send
from kingd.core.wire.message import Resign
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
