"""A network of this host, and how everybody on it is spoken to."""

from collections.abc import Callable, Mapping

from kingd.core.wire.endpoint import Endpoint
from kingd.core.wire.trial import Way
from kingd.records import dataclass, field


def _nobody(_host: str) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Lane:
    """`own`: this host's addresses there, by family; `contains`: whether an address is of that network."""

    interface: str
    group_ways: tuple[Way, ...] = ()
    own: Mapping[int, Endpoint] = field(default_factory=dict)
    contains: Callable[[str], bool] = _nobody

    @property
    def ways(self) -> int:
        """As an echo says them."""
        return sum(1 << way for way in self.group_ways)
