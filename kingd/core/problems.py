"""What the core finds wrong, and why it does not do what it was told: names and numbers. `kingd/daemon/sentences.py` says what
an operator reads of it.

`match` over each of the three unions is checked by mypy, as over `Effect`."""

from kingd.core.wire.endpoint import Endpoint
from kingd.core.wire.message import Ineligible, NodeId, Reason, Term
from kingd.records import dataclass

# -- why a list of voters is not the one in force (rules/voters.py)


@dataclass(frozen=True, slots=True)
class ModeWouldChange:
    """Quorum mode would be switched on or off, which no running cluster can."""


@dataclass(frozen=True, slots=True)
class TooFar:
    """Nobody has this list, and more than one voter would change for the first to have it."""

    changed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LeaderIsFirst:
    """Nothing is in its way: the leader makes it, and this host takes it from there."""


@dataclass(frozen=True, slots=True)
class AnotherRecovers:
    """These voters of the present list do not know yet what they promised by it."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TooFewWant:
    """A majority must want it, or the leader: whose configuration says something else."""

    unwilling: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TooFewAnswer:
    """The leader hears nothing of these, and without them there is no majority of the new list."""

    silent: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NobodyLeads:
    """By the present list."""


@dataclass(frozen=True, slots=True)
class LedByFormer:
    """The leader's lease still rests on the list before the present one."""


Obstacle = (
    ModeWouldChange | TooFar | LeaderIsFirst | AnotherRecovers | TooFewWant | TooFewAnswer | NobodyLeads | LedByFormer
)


# -- why nobody is handed over to (rules/commands.py)


@dataclass(frozen=True, slots=True)
class NotLeading:
    """This node does not lead."""


@dataclass(frozen=True, slots=True)
class NobodyReady:
    """No other member is alive, eligible and in contact."""


@dataclass(frozen=True, slots=True)
class NotKnown:
    """No live member is called so, or has that id."""

    wanted: str


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """More than one is called so: these and perhaps this node."""

    wanted: str
    found: tuple[tuple[NodeId, Endpoint], ...]


@dataclass(frozen=True, slots=True)
class NotEligible:
    """The one that is wanted."""

    wanted: str


Hindrance = NotLeading | NobodyReady | NotKnown | Ambiguous | NotEligible


class StepDownError(Exception):
    """`Core.step_down` cannot be done."""

    def __init__(self, why: Hindrance) -> None:
        super().__init__(why)
        self.why = why


# -- what is wrong (status.py, rules/quorum.py, rules/silence.py)


@dataclass(frozen=True, slots=True)
class NoLinks:
    """There is no usable network interface."""


@dataclass(frozen=True, slots=True)
class SharedId:
    """Another process, there or nobody knows where, uses this node's id."""

    id: NodeId
    where: Endpoint | None


@dataclass(frozen=True, slots=True)
class RolledBack:
    """Others remember a later term of this node than its disk does."""


@dataclass(frozen=True, slots=True)
class Unanswering:
    """It is heard by multicast, and does not answer. It, and this node, sign with these keys (0: with none)."""

    name: str | None  # None: of one that never answered
    endpoint: Endpoint
    key_id: int
    own_key_id: int

    @property
    def who(self) -> str:
        return str(self.endpoint) if self.name is None else f"{self.name} ({self.endpoint})"


@dataclass(frozen=True, slots=True)
class DeafLeader:
    """It has said for long that it leads, and is not followed: it hears nobody."""

    name: str
    endpoint: Endpoint
    term: Term


@dataclass(frozen=True, slots=True)
class AllFellSilent:
    """Nobody is heard any more, and these said no goodbye."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NoPeerAnswers:
    """Nobody was ever heard: of so many peers that are configured or remembered."""

    peers: int


@dataclass(frozen=True, slots=True)
class SharedName:
    """Hosts of one name, where they are (None: this one), and whether it is a voter's."""

    name: str
    where: tuple[Endpoint | None, ...]
    votes: bool


@dataclass(frozen=True, slots=True)
class OtherLists:
    """These hosts have another list of voters than this one."""

    names: tuple[str, ...]
    they_vote: bool = False  # by theirs, and this host has begun with its own, without a history


@dataclass(frozen=True, slots=True)
class Recovering:
    """A voter that has no record of what it promised."""


@dataclass(frozen=True, slots=True)
class ListWaits:
    """The list of voters that is wanted is not in force."""

    why: Obstacle


@dataclass(frozen=True, slots=True)
class FalselyDead:
    """It lives, though an obituary said that it had died."""

    name: str


@dataclass(frozen=True, slots=True)
class HandoverWaits:
    """For what runs because this node leads."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class LeadsUnfit:
    """It leads, may not, and nobody else may."""

    why: Ineligible


@dataclass(frozen=True, slots=True)
class Polled:
    """Its leader's multicast does not arrive."""

    leader: str


LinkProblem = NoLinks | Unanswering | DeafLeader | AllFellSilent | NoPeerAnswers | Polled
IdentityProblem = SharedId | RolledBack | SharedName | FalselyDead
VoterProblem = OtherLists | Recovering | ListWaits
Problem = LinkProblem | IdentityProblem | VoterProblem | HandoverWaits | LeadsUnfit
