"""What a datagram says, for somebody who has never seen the protocol: a sentence whose subject is its sender."""

from collections.abc import Mapping

from kingd.cli.text import age, clean
from kingd.core.wire.aside import Aside
from kingd.core.wire.message import (
    NO_BALLOT,
    NOBODY,
    Ack,
    Announce,
    Ballot,
    Claim,
    Datagram,
    Grant,
    Header,
    Heartbeat,
    NodeId,
    Obituary,
    Offer,
    Ping,
    Pong,
    Probe,
    ProbeAck,
    Ready,
    Reason,
    Refuse,
    Report,
    Resign,
    Role,
    Roster,
    Survey,
)
from kingd.core.wire.past import Events, Recall
from kingd.core.wire.trial import Echo, Trial, Way

_Presence = Announce | Probe | ProbeAck | Roster | Survey | Report | Obituary
_Election = Claim | Grant | Refuse | Resign | Offer | Ready

_NAMES_MAX = 65536
_SHOWN_MAX = 4
BECAUSE = {
    Reason.JOINED: "there is no leader",
    Reason.HIGHER_PRIORITY: "higher priority goes first",
    Reason.LEADER_TIMEOUT: "the leader has fallen silent",
    Reason.LEADER_CRASHED: "the leader's daemon has died",
    Reason.LEADER_LEFT: "the leader stops",
    Reason.HANDOVER: "leadership was handed over",
    Reason.STEP_DOWN: "the leader was told to step down",
    Reason.PREEMPTED: "higher priority goes first",
    Reason.OVERLAP_RESOLVED: "there were two leaders",
    Reason.QUORUM_LOST: "the majority of the voters is gone",
    Reason.ISOLATED: "its network is gone",
    Reason.STALLED: "it did not run for a while",
    Reason.CHECK_FAILED: "its health check fails",
    Reason.MAINTENANCE: "it is in maintenance",
    Reason.PRIORITY_CHANGED: "a priority was changed",
}


class Names:
    """Of nodes, as they tell them themselves."""

    def __init__(self, known: Mapping[int, str] | None = None) -> None:
        self._known = dict(known or {})

    def learn(self, datagram: Datagram) -> None:
        match datagram.body:
            case Announce(name=name) | ProbeAck(name=name) | Report(name=name):
                if len(self._known) < _NAMES_MAX:
                    self._known[datagram.header.source] = name
            case _:
                pass

    def known(self, node: int) -> str | None:
        return self._known.get(node)

    def of(self, node: int) -> str:
        """The name, or the beginning of the id."""
        return self._known.get(node) or f"#{node:016x}"[:9]


def sentence(datagram: Datagram, names: Names) -> str:
    return clean(_Words(datagram.header, names).of(datagram))


def _term_of(names: Names, ballot: Ballot) -> str:
    return f"term {ballot.term} of {names.of(ballot.node)}"


class _Words:
    def __init__(self, header: Header, names: Names) -> None:
        self._header = header
        self._names = names
        self._to = names.of(header.destination) if header.destination != NOBODY else "everybody"

    def of(self, datagram: Datagram) -> str:
        """Each kind is one of four topics; mypy finds one that is forgotten."""
        body = datagram.body
        if isinstance(body, _Presence):
            return self._presence(body)
        if isinstance(body, _Election):
            return self._election(body)
        if isinstance(body, Aside):
            return self._aside(body)
        return self._leading(body)

    def _presence(self, body: _Presence) -> str:
        match body:
            case Announce():
                return self._announce(body)
            case Probe():
                is_own = self._header.destination in (NOBODY, self._header.source)
                return "asks whether somebody else has its id" if is_own else f"asks whether {self._to} lives"
            case ProbeAck():
                return f"lives, and hears {self._to}" + ("; asks the same in turn" if body.nonce else "")
            case Roster():
                return self._roster(body)
            case Survey():
                return f"asks {self._to}: who leads?"
            case Report():
                return f"tells {self._to} its view: {self._state()}"
            case Obituary():
                return f"is dead: its daemon has ended without a word, says its guardian (it was {self._role()})"

    def _election(self, body: _Election) -> str:
        match body:
            case Claim():
                return self._claim(body)
            case Grant(term=term, pre_vote=pre_vote):
                return f"{'would agree' if pre_vote else 'agrees'} that {self._to} leads in term {term}"
            case Refuse():
                return self._refuse(body)
            case Resign():
                return self._resign(body)
            case Offer(reason=reason, keep_ms=keep_ms):
                kept = f", for {age(keep_ms)} at least" if keep_ms else ""
                return f"offers {self._to} to lead{kept}, because {BECAUSE[reason]}"
            case Ready():
                return self._ready(body)

    def _leading(self, body: Heartbeat | Ack | Ping | Pong) -> str:
        match body:
            case Heartbeat():
                return self._heartbeat(body)
            case Ack(sequence=sequence):
                return f"renews its promise to {self._to} (has heard its no. {sequence})"
            case Ping():
                return self._ping(body)
            case Pong():
                return f"answers {self._to}: {self._state()}"

    def _aside(self, body: Aside) -> str:
        match body:
            case Trial():
                wanted = f", and wants an answer by {body.back.word}" if body.back is not Way.NONE else ""
                return f"tries {body.by.word} to {self._to} (no. {body.number}){wanted}, for kingctl doctor"
            case Echo():
                got = ", ".join(f"{count.got} by {count.way.word}" for count in body.counts if count.got)
                return f"answers no. {body.number} of {self._to} by {body.by.word}: it got {got or 'none'} so far"
            case Recall(before=before):
                return f"asks {self._to} what has happened" + (f", before its event no. {before}" if before else "")
            case Events(told=()):
                return f"has no more to tell {self._to}"
            case Events(told=told):
                return f"tells {self._to} what has happened: {len(told)} events"

    def _state(self) -> str:
        leader = self._header.leader
        if self._header.role is Role.LEADER:
            return f"it leads, in term {leader.term}"
        if leader == NO_BALLOT:
            return "it knows no leader"
        return f"it follows {self._names.of(leader.node)}, term {leader.term}"

    def _role(self) -> str:
        words = {Role.LEADER: "the leader", Role.FOLLOWER: "a follower", Role.CANDIDATE: "a candidate"}
        return words.get(self._header.role, "without a leader")

    def _announce(self, body: Announce) -> str:
        header = self._header
        why = f" ({header.ineligible.word})" if header.ineligible else ""
        may = "" if header.eligible else f", may not lead now{why}"
        tags = "".join(f", {key}={value}" for key, value in body.tags)
        state = {Role.JOINING: "it is joining", Role.CANDIDATE: "it asks to lead"}.get(header.role, self._state())
        return f"is here: {body.name}, priority {header.priority}{may}, kingd {body.version}{tags}; {state}"

    def _heartbeat(self, body: Heartbeat) -> str:
        sure = f"; counts on their promises for {age(body.lease_ms)}" if body.lease_ms else ""
        lonely = "; nobody has shown that it is heard" if body.lonely else ""
        return f"leads; {body.alive} alive{sure}; its next heartbeat in {age(body.interval_ms)}{lonely}"

    def _claim(self, body: Claim) -> str:
        if body.pre_vote:
            instead = f" instead of {self._names.of(self._header.leader.node)}" if self._header.leader.node else ""
            return f"asks {self._to} on trial, which binds nobody: could it lead in term {body.term}{instead}?"
        over = f" Its ticket: {_term_of(self._names, body.ticket.ballot)} is over" if body.ticket else ""
        return f"asks {self._to}: may it lead in term {body.term}, because {BECAUSE[body.reason]}?{over}"

    def _refuse(self, body: Refuse) -> str:
        holder, left = self._names.of(body.holder.node), age(body.remaining_ms)
        if body.pre_vote and body.led and body.holder.node != self._header.source:
            return f"would agree if {holder} gave way, whom it follows in term {body.holder.term} for {left} yet"
        no = f"{'would refuse' if body.pre_vote else 'refuses'} that {self._to} leads in term {body.term}"
        if body.holder == NO_BALLOT:
            return f"{no}: the term is too low"
        if body.holder.node == self._header.source:
            return f"{no}: it {'leads' if body.led else 'asks to lead'} itself, in term {body.holder.term}"
        leads = "leads" if body.led else "asks to lead"
        return f"{no}: it has promised {left} more to {holder}, which {leads} in term {body.holder.term}"

    def _resign(self, body: Resign) -> str:
        why = " and stops" if body.leaving else f", because {BECAUSE[body.reason]}"
        if body.ballot == NO_BALLOT:
            return f"says goodbye{why}"
        to = f" to {self._names.of(body.successor)}" if body.successor else ""
        what = "asks no more to lead" if self._header.role is Role.CANDIDATE else "leads no more"
        return f"{what}: gives term {body.ballot.term} up{to}{why}"

    def _ping(self, body: Ping) -> str:
        heard = f" (has heard its no. {body.heard})" if body.heard else ""
        polling = ", whose heartbeats do not come" if body.polling else ""
        return f"asks {self._to}{polling}: do you lead?{heard}"

    def _ready(self, body: Ready) -> str:
        when = " should it stop" if body.reason is Reason.LEADER_LEFT else f", because {BECAUSE[body.reason]}"
        silent = ", ".join(self._names.of(node) for node in body.silent)
        who = f"{silent} has not answered; does it answer {self._to}?" if silent else "all who answer agree"
        return f"is ready to take over from {self._to}{when}: {who}"

    def _roster(self, body: Roster) -> str:
        shown = [f"{self._names.of(NodeId(entry.node))} at {entry.host}" for entry in body.entries[:_SHOWN_MAX]]
        more = len(body.entries) - len(shown)
        return f"knows {body.alive} alive, among them {', '.join(shown) or 'nobody else'}" + (
            f" and {more} more" * bool(more)
        )
