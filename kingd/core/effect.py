"""What the core asks its driver for, docs/architecture.md. The effects of a step are a list, and its order is the only one:
first what goes to other hosts (`Send`, `Multicast`), as it was said; then what is done on this host, as it came about. The
core returns them so, and every driver carries them out so, none before all of an earlier step. So an election waits for
no log, disk or client. Nothing that is sent relies on a `Persist` beside it: what has to be durable first is said after
`Core.persisted`.

`match` over `Effect` is checked for exhaustiveness by mypy: an effect that a driver forgets is a type error."""

from enum import StrEnum

from kingd.core.settings import Voters
from kingd.core.wire.endpoint import Endpoint
from kingd.core.wire.message import Datagram, NodeId, Reason, Role, Term
from kingd.core.wire.past import NO_EVIDENCE, Evidence
from kingd.records import dataclass


@dataclass(frozen=True, slots=True)
class Send:
    """By unicast."""

    datagram: Datagram
    to: Endpoint


@dataclass(frozen=True, slots=True)
class Multicast:
    """To every node that may hear it. `everywhere`: on each link and both address families (announcements), else on one
    family per link (heartbeats: half the packets). `broadcast`: by IPv4 broadcast too."""

    datagram: Datagram
    everywhere: bool = False
    broadcast: bool = False


@dataclass(frozen=True, slots=True)
class Rejoin:
    """Leave and join the multicast group again: a snooping switch may have forgotten us."""


@dataclass(frozen=True, slots=True)
class Persist:
    """Make these durable (off the loop), then call `Core.persisted(ceiling)`: no claim goes above a ceiling that is not.

    `term` is that of the newest leadership followed: what a later session of this node follows is not below it. `hold_us`
    is the longest promise that this node may give: a later session gives none for so long. `voters` is the list in force,
    with which a later session begins. Nothing waits for it for as long as `spread_us`: the driver may write it at any moment
    of that."""

    ceiling: Term
    term: Term
    hold_us: int = 0
    voters: Voters | None = None
    spread_us: int = 0


@dataclass(frozen=True, slots=True)
class Will:
    """What is to be sent should this process end without a word: to the group, and by unicast to these. None: nothing. It
    replaces what was left before, which is good enough for another `spread_us`: the driver may leave this one at any moment
    of that."""

    obituary: Datagram | None
    to: tuple[Endpoint, ...] = ()
    group: bool = True
    spread_us: int = 0


class EventKind(StrEnum):
    ELECTED = "elected"
    DEPOSED = "deposed"
    LEADER_CHANGED = "leader-changed"
    LEADER_LOST = "leader-lost"
    OVERLAP_RESOLVED = "overlap-resolved"
    STARTED = "started"
    STOPPING = "stopping"
    MEMBER_JOINED = "member-joined"
    MEMBER_LEFT = "member-left"
    MEMBER_DEAD = "member-dead"
    MAINTENANCE = "maintenance"
    CHECK_FAILED = "check-failed"


KINDS = tuple(EventKind)
"""By their number in EVENTS: one that is added comes last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A node as answers and events name it."""

    node: NodeId
    name: str
    priority: int
    endpoint: Endpoint | None  # None: this node, or not known


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that a user is told: in the log, to `watch`, in `history`."""

    at_us: int  # of the step that brought it about: a driver tells it when it gets to it
    kind: EventKind
    role: Role
    previous_role: Role
    term: Term
    leader: Peer | None
    previous_leader: Peer | None
    reason: Reason
    member: Peer | None = None  # whom an event about a member is about
    on: bool | None = None  # maintenance, check-failed: whether that begins or is over
    evidence: Evidence = NO_EVIDENCE  # for the reason


@dataclass(frozen=True, slots=True, kw_only=True)
class SurveyRow:
    """The view of one node."""

    node: NodeId
    name: str
    priority: int
    leader_name: str  # "" = none
    term: Term
    eligible: bool
    ineligible_reason: str | None  # in a word; None: eligible, or it did not say
    rtt_us: int | None  # None: it is silent

    @property
    def ok(self) -> bool:
        return self.rtt_us is not None


@dataclass(frozen=True, slots=True)
class Surveyed:
    """The answer to `Core.survey(token)`: every known member, this node first, the silent ones with ok=False."""

    token: int
    rows: tuple[SurveyRow, ...]


@dataclass(frozen=True, slots=True)
class Draining:
    """On: end what runs because this node leads, then call `Core.drained`; it leads until then. Off: that is over, one way or
    another: if this node still leads, all may run again."""

    on: bool


@dataclass(frozen=True, slots=True)
class HandedOver:
    """The answer to `Core.step_down`: `to` leads now (or None: nobody took it in time, and this node goes on or seeks).
    Not `drained`: what runs because this node leads did not end in time, so that nobody was asked."""

    to: Peer | None
    drained: bool = True


@dataclass(frozen=True, slots=True)
class Stopped:
    """`Core.stop` is done: goodbye was said, the process may end."""


Effect = Send | Multicast | Rejoin | Persist | Will | Event | Surveyed | Draining | HandedOver | Stopped


def in_order(effects: list[Effect]) -> list[Effect]:
    """Of one step."""
    return sorted(effects, key=_is_done_here) if len(effects) > 1 else effects


def _is_done_here(effect: Effect) -> bool:
    return not isinstance(effect, (Send, Multicast))
