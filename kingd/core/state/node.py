"""The state of one node: who it is, and what it knows, by owner.

What belongs to one role only is in `state` (roles.py); all else has an owner, a small object beside this one whose fields
no other module writes. The rules live in kingd/core/rules, one topic each: they are functions over `Node`; `election.Core`
calls them (by way of dispatch, timers and commands), and hands out what they appended to `out`. Nothing here reads a clock or
draws from anything but `rng`."""

import random

from kingd.core.scale import Scale
from kingd.core.settings import Settings, Voters
from kingd.core.state.backoff import BackOff
from kingd.core.state.challenges import Challenges
from kingd.core.state.detector import Detector
from kingd.core.state.durable import Durable
from kingd.core.state.lastwill import LastWill
from kingd.core.state.leaders import ForeignLeaders, LastLeader
from kingd.core.state.members import Member, Members
from kingd.core.state.namesake import Namesake
from kingd.core.state.news import News
from kingd.core.state.orders import Orders
from kingd.core.state.outbox import Outbox
from kingd.core.state.pending import Campaign, Drain, PreVote, Transfer, Votes
from kingd.core.state.promise import Promise
from kingd.core.state.quorum import Quorum
from kingd.core.state.roles import CHANGES, Candidate, Follower, Joining, Leader, State
from kingd.core.state.rounds import Rounds
from kingd.core.state.strangers import Strangers
from kingd.core.state.succession import Succession
from kingd.core.timing import NEVER, Timing
from kingd.core.wire.message import NO_BALLOT, Ballot, NodeId, Reason, Role, SessionId, Term, Ticket
from kingd.records import dataclass, field

TERM_JUMP_MAX = 1 << 32  # a term that far above all known ones is a mistake or an attack, never a history
TERM_MAX = 1 << 63  # nobody is led up to where terms end, however patiently


@dataclass(slots=True, kw_only=True)
class Node:
    """See above: what one node knows, and what it is about to do."""

    settings: Settings
    id: NodeId
    session: SessionId
    rng: random.Random
    now_us: int

    state: State = field(default_factory=Joining)  # its role, and what it knows only in that
    promise: Promise = field(default_factory=Promise)
    term_seen: Term = Term(0)  # the highest that anybody knows of
    durable: Durable
    quorum: Quorum

    # Of others.
    members: Members = field(default_factory=Members)
    strangers: Strangers = field(default_factory=Strangers)
    challenges: Challenges = field(default_factory=Challenges)
    detector: Detector = field(init=False)
    foreign: ForeignLeaders = field(default_factory=ForeignLeaders)
    last: LastLeader = field(default_factory=LastLeader)
    namesake: Namesake = field(default_factory=Namesake)

    # What is under way, whatever the role.
    rounds: Rounds = field(default_factory=Rounds)
    backoff: BackOff = field(default_factory=BackOff)
    succession: Succession = field(default_factory=Succession)
    will: LastWill = field(default_factory=LastWill)
    orders: Orders = field(default_factory=Orders)
    news: News = field(default_factory=News)
    out: Outbox = field(default_factory=Outbox)

    def __post_init__(self) -> None:
        self.detector = Detector(self.timing, self.now_us)

    # -- what it is -----------------------------------------------------------------------------------------------------

    @property
    def role(self) -> Role:
        return self.state.role

    @property
    def ballot(self) -> Ballot:
        """The one it leads, while it leads."""
        return self.state.ballot if isinstance(self.state, Leader) else NO_BALLOT

    @property
    def campaign(self) -> Campaign | None:
        """Its claim, the raise of its term, or its pre-vote."""
        match self.state:
            case Candidate(campaign=campaign) | Leader(raising=campaign):
                return campaign
            case Follower(pre_vote=PreVote(campaign=campaign)):
                return campaign
            case _:
                return None

    @property
    def transfer(self) -> Transfer | None:
        return self.state.transfer if isinstance(self.state, Leader) else None

    @property
    def drain(self) -> Drain | None:
        return self.state.drain if isinstance(self.state, Leader) else None

    @property
    def votes(self) -> Votes | None:
        match self.state:
            case Candidate(campaign=Campaign(votes=votes)) | Leader(votes=votes):
                return votes
            case _:
                return None

    # -- facts ---------------------------------------------------------------------------------------------------------

    @property
    def timing(self) -> Timing:
        return self.settings.timing

    @property
    def priority(self) -> int:
        return self.settings.priority

    @property
    def voters(self) -> Voters:
        """The list in force."""
        return self.quorum.voters

    @property
    def in_quorum_mode(self) -> bool:
        return bool(self.quorum.voters.names)

    @property
    def is_exclusive(self) -> bool:
        """No two sessions lead at one instant: a leadership has an end that its holder knows, and no belief frees what is
        promised. Else two may lead, until they meet."""
        return bool(self.quorum.voters.names)  # in_quorum_mode; not by its name, for a step asks a dozen times

    @property
    def is_voter(self) -> bool:
        return self.settings.name in self.quorum.voters.names

    @property
    def is_bound(self) -> bool:
        """Its promise is a voter's, and frees nobody before its end: also if the list that it has now leaves this voter out."""
        return self.is_voter or self.now_us < self.quorum.bound_until_us

    @property
    def is_recovering(self) -> bool:
        """A voter that does not know what it has promised before."""
        return not self.quorum.recovered and self.is_voter

    @property
    def hold_us(self) -> int:
        """The longest promise that it may have given as a voter, as far as it knows."""
        return self.durable.hold_wanted_us if self.quorum.knows else self.durable.hold_us

    @property
    def rank(self) -> tuple[int, int]:
        return (-self.priority, self.id)

    @property
    def leader(self) -> Ballot:
        """The ballot that this node leads or follows right now; NO_BALLOT = it knows of no leader."""
        state = self.state
        if isinstance(state, Follower):
            return self.promise.led
        return state.ballot if isinstance(state, Leader) else NO_BALLOT

    def followed(self) -> Member | None:
        """The leader's entry, while this node follows."""
        if not isinstance(self.state, Follower):
            return None
        return self.members.find(self.promise.floor.node, self.promise.session)

    @property
    def scale(self) -> Scale:
        """The times that depend on how many there are."""
        heard_of, proven = len(self.members.heard_of()), self._proven
        return Scale(
            self.settings.timing,
            members=max(len(self.members.verified()) + heard_of + 1, self.last.counted),
            proven=proven,
            is_large=proven > self.settings.mesh_max,
        )

    @property
    def _proven(self) -> int:
        """How many members there are, as far as nobody can make them up: verified ones, or as many as the leader counts."""
        return max(len(self.members.verified()) + 1, self.last.counted)

    @property
    def is_large(self) -> bool:
        """Too many for everybody to verify everybody."""
        return self._proven > self.settings.mesh_max

    def hears_foreign_leader(self) -> bool:
        return self.foreign.is_heard(self.now_us, self.timing.leader_timeout_us)

    def note_contact(self, member: Member, sent_us: int) -> None:
        """It provably heard what this node sent then."""
        member.contact_us = max(member.contact_us, sent_us)
        if isinstance(self.state, Leader):
            self.state.note_contact(sent_us)

    @property
    def lease_end_us(self) -> int:
        """When this node, if it leads, stops saying so: a little before its lease is over. Never, where there is none."""
        if not self.is_exclusive:
            return NEVER
        votes = self.votes
        return 0 if votes is None else votes.end_us

    @property
    def lease_ms(self) -> int:
        """What a promise to this leader is counted on for; 0 where there is none, or no lease."""
        return self.state.votes.lease_ms if isinstance(self.state, Leader) else 0

    @property
    def is_by_list(self) -> bool:
        """It leads, and its lease rests on the present list of voters alone."""
        return isinstance(self.state, Leader) and self.state.votes.is_by_list(self.now_us)

    def ticket(self, ballot: Ballot, session: SessionId) -> Ticket:
        """With it this node claims the promises to that ballot: who held it gave it to this node, or is dead."""
        return Ticket(ballot=ballot, session=session, successor=self.id, successor_session=self.session)

    def see_term(self, term: Term) -> None:
        """Somebody knows of it."""
        self.term_seen = max(self.term_seen, term)

    # -- becoming ------------------------------------------------------------------------------------------------------

    def become(self, state: State, reason: Reason | None = None) -> None:
        """The only place where the role changes. Whatever belonged to the old one ends with its object."""
        assert type(state) in CHANGES[type(self.state)], (self.state, state)
        if isinstance(self.state, Leader):
            for member in self.members.verified():
                member.rival = False
        self.state = state
        self.succession.look_again()
        if reason is not None:
            self.news.explain(reason)
