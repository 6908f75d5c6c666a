"""Who speaks from a new address is asked there, whatever else it is asked for. docs/protocol.md 4.1."""

import pytest

from kingd.core.effect import Send
from kingd.core.wire.endpoint import Endpoint
from kingd.core.wire.message import Probe
from tests.unit.scripted import Bench, Peer


@pytest.mark.parametrize("phase_ms", range(1, 101, 20))
def test_lonely_leader_asks_another_one_that_has_moved_where_it_is(phase_ms: int) -> None:
    """It went on asking at the old address, and a session is asked once in 200 ms (simulator, seed 7001560: three leaders)."""
    bench, other = Bench(), Peer(node=60, priority=10)
    bench.become_leader(other)
    bench.advance_ms(3000 + phase_ms)
    other.endpoint = Endpoint("10.0.0.99", 5466, "eth0")
    other.leads(9)
    bench.clear()
    for _ in range(10):
        bench.beat(other, lonely=True)
        bench.advance_ms(100)
    asked = {e.to for e in bench.effects if isinstance(e, Send) and isinstance(e.datagram.body, Probe)}
    assert other.endpoint in asked
