"""What a node is, and what it knows only as that: each role is an object, exchanged by `Node.become` and nowhere else.

What belonged to the old role is gone with it: nothing has to be reset, and nothing stale can be read. The role on the
wire is `message.Role`."""

from kingd.core.state.pending import Campaign, Drain, PreVote, Transfer, Votes
from kingd.core.timing import NEVER, Timing
from kingd.core.wire.message import Ballot, Role, Ticket
from kingd.records import dataclass, field

_ECHOES_MAX = 1024


@dataclass(slots=True)
class Joining:
    """It listens, and claims nothing yet."""

    role = Role.JOINING
    join_at_us: int = NEVER  # when it has listened for long enough

    def put_off(self, until_us: int) -> None:
        self.join_at_us = until_us

    def excuse(self, late_us: int) -> None:
        """It did not run, and heard nothing meanwhile."""
        if self.join_at_us != NEVER:
            self.join_at_us += late_us


@dataclass(slots=True)
class Follower:
    """It has promised to a leader, and hears it."""

    role = Role.FOLLOWER
    ping_at_us: int = NEVER
    prove_at_us: int = NEVER  # when a ping is due that asks nothing and proves two-way contact
    in_line: bool = False  # among those who come next if the leader goes, when it last pinged the leader
    preempt_at_us: int = NEVER
    waits_for_all: bool = False  # it is put off until this node knows all whom its leader counts
    pre_vote: PreVote | None = None

    @property
    def pre_vote_at_us(self) -> int:
        return NEVER if self.pre_vote is None or self.pre_vote.request is None else self.pre_vote.request.due_us

    def stand(self, *, in_line: bool) -> None:
        self.in_line = in_line

    def hold_pre_vote(self, pre_vote: PreVote | None) -> None:
        self.pre_vote = pre_vote

    def put_off_preempting(self, until_us: int, *, waits_for_all: bool = False) -> None:
        """NEVER: it is armed again at the end of this step."""
        self.preempt_at_us, self.waits_for_all = until_us, waits_for_all


@dataclass(slots=True)
class Seeking:
    """No leader: it claims, unless one shows up."""

    role = Role.SEEKING
    seek_at_us: int
    inherited: Ticket | None = None  # from a leader that died: frees the promises of who does not know yet

    def put_off(self, until_us: int) -> None:
        self.seek_at_us = until_us

    def hurry(self, until_us: int) -> None:
        self.seek_at_us = min(self.seek_at_us, until_us)


@dataclass(slots=True)
class Candidate:
    """It has asked everybody, or waits for its disk to do so."""

    role = Role.CANDIDATE
    campaign: Campaign
    inherited: Ticket | None = None

    @property
    def claim_at_us(self) -> int:
        return self.campaign.due_us


@dataclass(slots=True, kw_only=True)
class Leader:
    """It beats, and gives its leadership away in the end."""

    role = Role.LEADER
    ballot: Ballot
    raised_us: int  # when it got that one, or last tried to get a higher one
    votes: Votes
    proven_us: int = -1  # when the newest message was sent that some follower provably heard
    heartbeat_at_us: int = NEVER
    beat_us: int = 0  # when the last heartbeat was sent ...
    beat_every_us: int = 0  # ... and how long after it the next one is due
    patience_us: int = 0  # how much longer it may be silent ...
    settled_us: int = 0  # ... until then: after that its followers go by what they have measured
    # Heartbeats and pongs, which pings echo: sequence -> when sent.
    echoes: dict[int, int] = field(default_factory=dict)
    raising: Campaign | None = None  # to a higher term
    transfer: Transfer | None = None
    drain: Drain | None = None

    @property
    def raise_at_us(self) -> int:
        return NEVER if self.raising is None else self.raising.due_us

    @property
    def offer_at_us(self) -> int:
        return NEVER if self.transfer is None else self.transfer.due_us

    @property
    def drain_over_us(self) -> int:
        return NEVER if self.drain is None or self.drain.done else self.drain.over_us

    def begin_raise(self, raising: Campaign) -> None:
        self.raising = raising

    def rise(self, ballot: Ballot, now_us: int) -> None:
        """The higher term that it asked for is granted, and the lease that it asked for with it."""
        assert self.raising is not None
        former, self.votes = self.votes, self.raising.votes
        self.votes.inherit(former)
        if former.lease_ms != self.votes.lease_ms:
            self.echoes.clear()  # an answer to these is a promise for the former lease
        self.ballot, self.raised_us, self.raising = ballot, now_us, None

    def note_raise(self, now_us: int) -> None:
        self.raised_us = now_us

    def be_patient(self, patience_us: int, *, until_us: int) -> None:
        """With itself, and less than its followers are."""
        if patience_us:  # else leaders that are alike would differ, of whom the explorer keeps one
            self.patience_us, self.settled_us = patience_us, until_us

    def note_contact(self, sent_us: int) -> None:
        self.proven_us = max(self.proven_us, sent_us)

    def note_beat(self, sequence: int, *, every_us: int, now_us: int) -> None:
        self.remember_echo(sequence, now_us)
        self.beat_us, self.beat_every_us = now_us, every_us
        self.heartbeat_at_us = now_us + every_us

    def remember_echo(self, sequence: int, now_us: int) -> None:
        while len(self.echoes) >= _ECHOES_MAX:
            del self.echoes[next(iter(self.echoes))]
        self.echoes[sequence] = now_us

    def stalls_at_us(self, timing: Timing) -> int:
        """From then on it has been silent for so long that others may have replaced it."""
        patience_us = self.patience_us if self.beat_us < self.settled_us else 0
        return self.beat_us + timing.stall_us + self.beat_every_us - timing.heartbeat_us + patience_us


State = Joining | Follower | Seeking | Candidate | Leader

CHANGES: dict[type[State], tuple[type[State], ...]] = {
    Joining: (Joining, Follower, Seeking),
    Follower: (Joining, Follower, Seeking, Candidate),
    Seeking: (Joining, Follower, Seeking, Candidate),
    Candidate: (Joining, Follower, Seeking, Candidate, Leader),
    Leader: (Joining, Seeking),
}
"""From which role to which: nobody leads who has not claimed, and who leads follows nobody before it has given that up."""
