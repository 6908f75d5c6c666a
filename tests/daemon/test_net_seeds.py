"""Seeds that are names: what the resolver of this host makes of them."""

import asyncio

from kingd.core.wire.endpoint import Endpoint
from kingd.net.seeds import resolve


def test_resolve_leaves_out_what_does_not_resolve_and_names_each_endpoint_once() -> None:
    seeds = [("127.0.0.1", 5466), ("localhost", 5466), ("a..b", 5466), ("127.0.0.1", 5466)]

    async def run() -> list[Endpoint]:
        return await resolve(seeds, asyncio.get_running_loop())

    found = asyncio.run(run())
    assert found[0] == Endpoint("127.0.0.1", 5466)
    assert set(found) <= {Endpoint("127.0.0.1", 5466), Endpoint("::1", 5466)}
    assert len(found) == len(set(found))
