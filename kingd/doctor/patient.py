"""One peer, as an examination knows it: where it is asked, what came of it, and what it says of others."""

from itertools import islice

from kingd.core.acquaintance import Sighting
from kingd.core.wire.endpoint import Endpoint
from kingd.core.wire.trial import Count, Echo, Way
from kingd.doctor.cells import Cell, Heard
from kingd.records import dataclass, field

Place = tuple[int, Way]
"""A network of this host (by its number among the lanes), and a way."""
HELLOS_MAX = 512  # all of the first second, by 16 addresses; then those of most of a minute


@dataclass(frozen=True, slots=True)
class View:
    """What a peer says of another node. Times are how long before `at_us` (when it said so), UNHEARD is never."""

    at_us: int
    state: int
    heard_ms: int
    multicast_ms: int
    contact_ms: int


@dataclass(frozen=True, slots=True)
class Via:
    """How a peer was reached first: by unicast, but where that does not work."""

    lane: int
    way: Way
    endpoint: Endpoint


@dataclass(slots=True)
class Patient:
    """See above."""

    sighting: Sighting
    next_us: int
    attempts: int = 0
    asked: int = 0
    hellos: dict[int, Via] = field(default_factory=dict)  # by the trial's number: the first, and the last ones
    via: Via | None = None  # None: it has not answered yet
    token: int = 0
    trials: int = 0  # since then
    endpoints: dict[tuple[int, int], Endpoint] = field(default_factory=dict)  # lane, family
    ways: dict[int, int] = field(default_factory=dict)  # lane -> how it listens to all of that network, as bits
    there: dict[Place, Cell] = field(default_factory=dict)
    back: dict[Place, Cell] = field(default_factory=dict)
    views: dict[int, View] = field(default_factory=dict)
    lag_ms: int = 0
    refused: int = 0  # its host said so often that nobody listens
    has_moved_on: bool = False  # it has another session now
    _before: dict[Place, int] = field(default_factory=dict)  # trials to all that went out before it had answered
    _alone: dict[Place, int] = field(default_factory=dict)  # to it alone, since
    _heard: dict[Place, Heard] = field(default_factory=dict)

    def is_asked(self, number: int, via: Via) -> None:
        """The first one counts if it is not known which one was answered. An hour of silence has thousands."""
        self.hellos[number] = via
        if len(self.hellos) > HELLOS_MAX:
            _first, oldest = islice(self.hellos, 2)
            del self.hellos[oldest]

    def begin(self, echo: Echo, group_sent: dict[Place, int]) -> None:
        """Its first answer. It has been asked."""
        self.token = echo.token
        self.via = self.hellos.get(echo.number) or next(iter(self.hellos.values()))
        got = {(echo.lane, count.way): count.got for count in echo.counts}  # it may have counted for a while already
        self._before = {place: max(0, sent - got.get(place, 0)) for place, sent in group_sent.items()}

    def comes_home(self, place: Place) -> bool:
        """Whether an answer by that way may arrive, as far as is known."""
        cell = self.back.get(place)
        return cell is None or cell.got > 0

    def sends(self, place: Place) -> None:
        """One trial goes to it alone."""
        self._alone[place] = self._alone.get(place, 0) + 1

    def count(self, group_sent: dict[Place, int]) -> None:
        """What has gone out to it so far: of trials to all, those on its networks, by ways to which it listens."""
        listens = {place: total for place, total in group_sent.items() if self.ways.get(place[0], 0) >> place[1] & 1}
        for place in {*listens, *self._alone}:
            group = listens.get(place, 0) - self._before.get(place, 0) if place in listens else 0
            self.there.setdefault(place, Cell()).sent = self._alone.get(place, 0) + max(0, group)

    def take(self, echo: Echo, *, now_us: int) -> None:
        self.lag_ms = max(self.lag_ms, echo.lag_ms)
        self.ways[echo.lane] = echo.ways
        for count in echo.counts:
            self._learn(echo.lane, count, now_us=now_us)
        place = (echo.lane, echo.by)
        is_counted = any(count.way is echo.by and count.sent for count in echo.counts)
        if self._heard.setdefault(place, Heard()).take(echo.number) and is_counted:
            self.back.setdefault(place, Cell()).arrived_one(now_us=now_us)

    def sees(self, echo: Echo, *, now_us: int) -> None:
        """Of whom it says something."""
        self.views[echo.about] = View(now_us, echo.state, echo.heard_ms, echo.multicast_ms, echo.contact_ms)

    def _learn(self, lane: int, count: Count, *, now_us: int) -> None:
        """What it got is of `there`, what it sent of `back`."""
        if count.got:
            self.there.setdefault((lane, count.way), Cell()).arrived(count.got, now_us=now_us)
        if count.sent:
            back = self.back.setdefault((lane, count.way), Cell())
            back.sent = max(back.sent, count.sent)
