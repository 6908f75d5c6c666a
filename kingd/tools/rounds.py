"""Which datagrams belong to one change of leadership: from the first sign of it to the first heartbeat of who won.

In: datagrams that are not refused, with their times. Out: a heading where a round begins and ends. It only looks, and may have
begun to look in the middle: what led before it began is learnt from heartbeats."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from kingd.cli.text import age
from kingd.core.wire.message import (
    NO_BALLOT,
    Ballot,
    Claim,
    Datagram,
    Grant,
    Heartbeat,
    Obituary,
    Offer,
    Ready,
    Reason,
    Refuse,
    Resign,
    Role,
)
from kingd.tools.words import BECAUSE, Names

_QUIET_S = 2.0  # a round in which nothing more is said has come to nothing
_BALLOTS_MAX, _NODES_MAX = 4096, 4096
_LISTED_MAX = 8


@dataclass(slots=True)
class _Round:
    number: int
    began_s: float
    spoke_s: float
    beginner: int
    is_trial: bool
    agreed: dict[int, None] = field(default_factory=dict)
    refused: dict[int, None] = field(default_factory=dict)


class Rounds:
    """Of one cluster. `numbers`: of the rounds, all clusters together."""

    def __init__(self, names: Names, numbers: Iterator[int]) -> None:
        self._names = names
        self._numbers = numbers
        self._round: _Round | None = None
        self._led: dict[Ballot, None] = {}
        self._beat_s: dict[int, float] = {}  # of a leader: its last heartbeat

    @property
    def number(self) -> int | None:
        """Of the round that is under way."""
        return None if self._round is None else self._round.number

    def begin(self, time_s: float, datagram: Datagram) -> list[str]:
        """Before its line: headings of a round that came to nothing, and of one that begins with it."""
        said = []
        if self._round is not None and time_s - self._round.spoke_s > _QUIET_S:
            said.append(self._came_to_nothing(self._round))
        title = self._title(time_s, datagram)
        if title is not None:
            source = datagram.header.source
            is_trial = isinstance(datagram.body, Claim) and datagram.body.pre_vote
            if self._round is not None and self._round.is_trial and is_trial and self._round.beginner != source:
                said.append(self._came_to_nothing(self._round))
            if self._round is None:
                self._round = _Round(next(self._numbers), time_s, time_s, source, is_trial)
                said.append(title)
            self._round.is_trial &= is_trial
        if self._round is not None and isinstance(datagram.body, Claim | Grant | Refuse | Resign | Offer | Ready):
            self._round.spoke_s = time_s
        return said

    def end(self, time_s: float, datagram: Datagram) -> list[str]:
        """After its line: the heading of a round that ends with it."""
        source, now = datagram.header.source, self._round
        match datagram.body:
            case Grant() if now is not None and len(now.agreed) < _NODES_MAX:
                now.agreed[source] = None
            case Refuse(pre_vote=pre_vote, led=led) if now is not None and len(now.refused) < _NODES_MAX:
                if not (pre_vote and led):
                    now.refused[source] = None
            case Ready(reason=Reason.LEADER_LEFT) if now is not None and now.is_trial:  # unasked, ahead of need
                self._round = None
                return [f"{self._names.of(source)} is prepared, and nothing changes"]
            case Heartbeat():
                if len(self._beat_s) < _NODES_MAX or source in self._beat_s:
                    self._beat_s[source] = time_s
                if datagram.header.leader not in self._led:
                    return self._won(time_s, datagram)
            case _:
                pass
        return []

    def _won(self, time_s: float, datagram: Datagram) -> list[str]:
        ballot, now = datagram.header.leader, self._round
        self._led[ballot] = None
        if len(self._led) > _BALLOTS_MAX:
            self._led.pop(next(iter(self._led)))
        if now is None:
            return []
        self._round = None
        agreed = self._listed(node for node in now.agreed if node != ballot.node)
        by = f", with the consent of {agreed}" if agreed else ""
        return [f"{self._names.of(ballot.node)} leads in term {ballot.term}, {_after(time_s - now.began_s)} later{by}"]

    def _came_to_nothing(self, now: _Round) -> str:
        self._round = None
        refused = self._listed(now.refused)
        if now.is_trial:
            return "nothing changes" + (f": {refused} would refuse" if refused else "")
        return "that came to nothing" + (f": {refused} refused" if refused else "")

    def _listed(self, nodes: Iterable[int]) -> str:
        names = [self._names.of(node) for node in nodes]
        more = f" and {len(names) - _LISTED_MAX} more" if len(names) > _LISTED_MAX else ""
        return ", ".join(names[:_LISTED_MAX]) + more

    def _title(self, time_s: float, datagram: Datagram) -> str | None:
        """None: with such a datagram no round begins."""
        name = self._names.of(datagram.header.source)
        match datagram.body:
            case Obituary() if datagram.header.role is Role.LEADER:
                return f"the leader {name} is dead"
            case Claim(pre_vote=True, reason=reason):
                leader = self._names.of(datagram.header.leader.node)
                wants = "makes sure that it could" if reason is Reason.LEADER_LEFT else "wants to"
                return f"{name} {wants} take over from {leader}"
            case Claim(reason=reason, ticket=ticket):
                before = datagram.header.floor if ticket is None else ticket.ballot
                return f"{name} wants to lead: {BECAUSE[reason]}{self._silence(time_s, before)}"
            case Resign(ballot=ballot, reason=reason) if (
                ballot != NO_BALLOT and datagram.header.role is not Role.CANDIDATE
            ):
                return f"{name} leads no more: {BECAUSE[reason]}"
            case Offer(reason=reason):
                return f"{name} hands leadership over: {BECAUSE[reason]}"
            case _:
                return None

    def _silence(self, time_s: float, leader: Ballot) -> str:
        beat_s = self._beat_s.get(leader.node)
        if beat_s is None:
            return ""
        return f" ({self._names.of(leader.node)} was heard last {_after(time_s - beat_s)} ago)"


def _after(seconds: float) -> str:
    """With a tenth of a millisecond where that is something."""
    return f"{seconds * 1000:.1f} ms" if 0 <= seconds < 0.1 else age(max(seconds, 0) * 1000)
