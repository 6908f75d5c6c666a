"""One simulated host: its process, its disk, its address and its clock. Data only; `Cluster` moves it."""

from dataclasses import dataclass, field

from kingd.core.effect import Event, HandedOver, Persist, Surveyed, Will
from kingd.core.election import Core
from kingd.core.settings import Settings, Voters
from kingd.core.timing import NEVER
from kingd.core.wire.endpoint import Endpoint
from kingd.core.wire.message import Datagram, Ineligible, NodeId, Role, Term
from kingd.core.wire.repeats import Repeats

DISK_US = 1_000
PORT = 5466
_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Clock:
    """CLOCK_BOOTTIME of one host: begins anywhere, and runs a little too fast or too slow."""

    offset_us: int = 0
    rate_ppm: int = 0

    def read(self, real_us: int) -> int:
        return self.offset_us + real_us * (_MILLION + self.rate_ppm) // _MILLION

    def when(self, local_us: int) -> int:
        """The first instant at which it shows that."""
        if local_us >= NEVER:
            return NEVER
        rate = _MILLION + self.rate_ppm
        return -((self.offset_us - local_us) * _MILLION // rate)


@dataclass(slots=True)
class Host:
    index: int
    settings: Settings
    node_id: NodeId
    clock: Clock = field(default_factory=Clock)
    core: Core | None = None  # None: crashed or off
    ceiling: Term = Term(0)  # what its disk holds
    term: Term = Term(0)
    hold_us: int = 0
    named: str = ""  # as whom it promised for so long
    voters: Voters | None = None
    maintenance_until_us: int = 0  # in real time; 0: never
    port: int = PORT
    _endpoint: Endpoint | None = None  # as last asked for
    paused_until_us: int = 0
    busy_until_us: int = 0  # with what it has read and sent; see labour.py
    due_us: int = NEVER  # when it next has something to do, if nothing arrives
    queued_us: int = NEVER  # when `Cluster` looks at that
    backlog: list[tuple[Endpoint, Datagram | bytes]] = field(default_factory=list)
    pending_disk: list[tuple[int, int, Persist]] = field(default_factory=list)  # when it is done, order, what
    disk_us: int = DISK_US
    disk_fails: bool = False
    unwritable: bool = False  # its core was told so
    refuses: bool = False  # its process has ended, and its kernel says so to who sends to it
    will: Will = field(default_factory=lambda: Will(None))
    events: list[tuple[int, Event]] = field(default_factory=list)
    surveys: list[Surveyed] = field(default_factory=list)
    handed_over: list[HandedOver] = field(default_factory=list)
    repeats: Repeats = field(default_factory=Repeats)

    @property
    def name(self) -> str:
        return self.settings.name

    @property
    def role(self) -> Role | None:
        return self.core.node.role if self.core else None

    @property
    def endpoint(self) -> Endpoint:
        if self._endpoint is None or self._endpoint.port != self.port:
            self._endpoint = Endpoint(f"10.0.0.{self.index}", self.port, "sim0")
        return self._endpoint

    def begin_anew(self) -> None:
        """A new process knows nothing of what the former one was about."""
        self.backlog.clear()
        self.pending_disk.clear()
        self.paused_until_us = self.busy_until_us = 0
        self.unwritable = False
        self.repeats = Repeats()

    def unfit_at(self, real_us: int) -> dict[Ineligible, int]:
        """What a session that starts now knows from the disk: until when it may not lead, by its own clock."""
        if self.maintenance_until_us <= real_us:
            return {}
        return {Ineligible.MAINTENANCE: self.clock.read(self.maintenance_until_us)}

    def open_hold(self) -> int:
        """For how long earlier sessions may have promised. As `daemon/store.py`: none if they had another name."""
        if self.named not in ("", self.name):
            self.hold_us = 0
        self.named = self.name
        return self.hold_us

    def write(self, state: Persist) -> None:
        """Durable from now on. As `daemon/store.py`: nothing is ever lowered."""
        self.ceiling, self.term = max(self.ceiling, state.ceiling), max(self.term, state.term)
        self.hold_us = max(self.hold_us, state.hold_us)
        self.voters = state.voters or self.voters
