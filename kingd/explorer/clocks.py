"""The hosts' clocks, each of which runs at its own rate, and when in true time something falls due by them."""

from collections.abc import Sequence

from kingd.core.timing import NEVER
from kingd.explorer.host import ORIGIN_US
from kingd.explorer.local import Locals
from kingd.explorer.scope import Scope


class Clocks:
    def __init__(self, scope: Scope, locals_: Locals) -> None:
        self._locals = locals_
        self._rates = scope.rates or (1000,) * len(scope.hosts)
        self._true: dict[tuple[int, int], tuple[int, ...]] = {}

    def us(self, host: int, true_us: int) -> int:
        """What this host's clock says."""
        return ORIGIN_US + (true_us - ORIGIN_US) * self._rates[host] // 1000

    def is_due(self, host: int, local: int, true_us: int) -> bool:
        """Whether its timer fires."""
        return self._locals.views[local].deadline_us <= self.us(host, true_us)

    def next_us(self, hosts: Sequence[int], true_us: int) -> int:
        """The next instant, in true time, at which something falls due at a host; NEVER."""
        return min(
            (t for host, local in enumerate(hosts) for t in self._true_us(host, local) if t > true_us), default=NEVER
        )

    def _true_us(self, host: int, local: int) -> tuple[int, ...]:
        key = (host, local)
        times = self._true.get(key)
        if times is None:
            rate = self._rates[host]
            instants = self._locals.views[local].instants_us
            times = self._true[key] = tuple(ORIGIN_US - (ORIGIN_US - us) * 1000 // rate for us in instants)
        return times
