"""Another process that uses this node's id: where, and until when it is taken to be there. docs/protocol.md 4.1."""

from kingd.core.timing import NEVER, SECOND
from kingd.core.wire.endpoint import Endpoint
from kingd.records import dataclass

_EVERY_US = 2 * SECOND
_GONE_US = 5 * SECOND


@dataclass(slots=True)
class Namesake:
    """This node is silent while it is there."""

    is_there: bool = False
    endpoint: Endpoint | None = None  # where it was heard
    at_us: int = NEVER  # when it is to be asked again
    until_us: int = 0  # then it is gone, if nobody answers

    def hear(self, endpoint: Endpoint, now_us: int) -> bool:
        """It has proven that it is there. Whether that is news."""
        is_news = not self.is_there
        self.is_there, self.endpoint = True, endpoint
        self.at_us, self.until_us = now_us + _EVERY_US, now_us + _GONE_US
        return is_news

    def ask_again(self, now_us: int) -> None:
        self.at_us = now_us + _EVERY_US

    def leave(self) -> None:
        self.is_there, self.endpoint, self.at_us = False, None, NEVER
