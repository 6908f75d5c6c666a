"""Seeds that are names: what the resolver of this host makes of them."""

from kingd.core.wire.endpoint import Endpoint
from kingd.loop import Loop
from kingd.net.seeds import resolve
from tests.daemon.loops import until


def test_resolve_leaves_out_what_does_not_resolve_and_names_each_endpoint_once() -> None:
    seeds = [("127.0.0.1", 5466), ("localhost", 5466), ("a..b", 5466), ("127.0.0.1", 5466)]
    found: list[Endpoint] = []
    loop = Loop()
    resolve(seeds, loop, found.extend)
    until(loop, lambda: found)
    loop.close()
    assert found[0] == Endpoint("127.0.0.1", 5466)
    assert set(found) <= {Endpoint("127.0.0.1", 5466), Endpoint("::1", 5466)}
    assert len(found) == len(set(found))
