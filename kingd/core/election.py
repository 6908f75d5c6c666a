"""The state machine's door: datagrams, time and commands go in, a list of effects comes out. docs/protocol.md 4.

`Core` knows no clock, socket, file or log, and raises for nothing that a peer can send. Each entry takes `now_us`,
which never goes back; after each, `deadline_us` says when `tick` is due. The rules are in the modules beside this
one, by topic."""

import random
from dataclasses import replace

from kingd.core import (
    claiming,
    contact,
    following,
    handover,
    leading,
    preempting,
    quorum,
    seeking,
    survey,
    timers,
    voting,
    will,
)
from kingd.core.effect import Effect, EventKind, HandedOver
from kingd.core.endpoint import Endpoint
from kingd.core.members import Member, State
from kingd.core.message import (
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
    SessionId,
    Survey,
    Term,
)
from kingd.core.node import TERM_JUMP_MAX, TERM_MAX, Node
from kingd.core.promise import Promise
from kingd.core.publishing import Publisher, event
from kingd.core.settings import Settings
from kingd.core.status import Status, status
from kingd.core.timing import MS, NEVER, promise_us

_FIRED_MAX = 16  # a handler may arm what is due at once; more than this is a timer that is not re-armed
_ISOLATED_AFTER_BEATS = 4


class StepDownError(Exception):
    """`Core.step_down` cannot be done. `name` is the error's name on the control socket."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


class Core:
    def __init__(
        self,
        settings: Settings,
        *,
        node_id: NodeId,
        session: SessionId,
        rng: random.Random,
        now_us: int,
        ceiling: Term,
        term: Term = Term(0),
        hold_us: int = 0,
    ) -> None:
        """What earlier sessions of this node made durable: `ceiling`, above which this one claims; `term`, of the
        newest leadership that they followed: this one follows none below it; and `hold_us`, the longest promise that they may
        have given: a voter gives none for so long."""
        assert node_id != NOBODY
        assert session != 0
        votes = settings.name in settings.voters
        wait_us = max(hold_us, promise_us(settings.timing.lease_us)) if votes else 0
        self.node = Node(
            settings=settings,
            id=node_id,
            session=session,
            rng=rng,
            now_us=now_us,
            ceiling=ceiling,
            ceiling_asked=ceiling,
            claimed=ceiling,
            term_seen=Term(max(ceiling, term)),
            term_saved=term,
            promise=Promise(ballot=Ballot(max(ceiling, term) if votes else term, NOBODY), until_us=now_us + wait_us),
            hold_us=hold_us,
            hold_wanted_us=wait_us,
            hold_asked_us=hold_us,
            learned=ceiling > 0 or not votes,
            learn_from_us=now_us + wait_us,
            listed_us=now_us,
        )
        self.node.sweep_at_us = now_us
        self._publisher = Publisher()
        self._stepping_down = False
        self._others_us = timers.others_us(self.node)  # a heartbeat need not look at these again
        self._deadline_us = timers.next_us(self.node, others_us=self._others_us)
        self._started = False

    # -- what the driver may ask -----------------------------------------------------------------------------------------

    @property
    def deadline_us(self) -> int:
        """When `tick` is due."""
        return self._deadline_us

    def status(self, now_us: int) -> Status:
        return status(self.node, now_us)

    def repeat(self, beat: Datagram, sequence: int, *, source: Endpoint, now_us: int) -> bool:
        """`beat` once more, with this sequence number. Whether that was all there is to it: then the promise is renewed, and
        no effect follows. If not, nothing has happened, and it is to be handed to `receive`."""
        node, promise = self.node, self.node.promise
        leader = node.members.get(promise.ballot.node)
        if (
            now_us > self._deadline_us
            or node.role is not Role.FOLLOWER
            or leader is None
            or not following.is_same_beat(node, leader, beat, sequence=sequence, source=source)
        ):
            return False
        node.now_us = now_us
        leader.window.accept(sequence)
        leader.heard_us = leader.multicast_us = leader.endpoint_seen_us = now_us
        leader.heard_sequence = sequence
        following.renew(node, leader, promise.led)
        self._deadline_us = timers.next_us(node, others_us=self._others_us)
        return True

    # -- what comes in ---------------------------------------------------------------------------------------------------

    def receive(self, datagram: Datagram, *, source: Endpoint, now_us: int) -> list[Effect]:
        self._begin(now_us)
        node, header = self.node, datagram.header
        if header.source == node.id:
            if header.session != node.session and not isinstance(datagram.body, Obituary):
                contact.on_namesake(node, datagram, source)
        elif node.duplicate:
            node.drop("duplicate-id")
        elif header.destination not in (NOBODY, node.id):
            if not header.multicast:  # a starting node asks by multicast whether somebody has its id
                node.drop("other-destination")
        elif max(header.leader.term, header.floor.term, _term_in(datagram)) > min(
            node.term_seen + TERM_JUMP_MAX, TERM_MAX
        ):
            node.drop("term")
        else:
            self._receive_from_other(datagram, source)
        return self._end()

    def _receive_from_other(self, datagram: Datagram, source: Endpoint) -> None:
        node, header = self.node, datagram.header
        quorum.note_blank(node, header)
        member = node.members.find(header.source, header.session)
        if member is None:
            member = contact.on_stranger(node, datagram, source)
            if member is not None:
                self._on_verified(member)
            return
        if isinstance(datagram.body, Obituary):
            will.on_obituary(node, member)
            return
        if not member.window.accept(header.sequence):
            if not header.multicast:  # the same datagram by IPv4 and IPv6, or over two networks, is no replay
                node.drop("replay")
            return
        if member.state is State.LEFT:
            node.drop("left")
            return
        if member.obituary_us >= 0 and not will.is_refuted(node, member, datagram.body):
            will.ask(node, member, datagram, source)
            return
        if header.sequence == member.window.newest:
            self._note(member, datagram, source)
        elif isinstance(datagram.body, Announce | Heartbeat):
            node.drop("late")  # what it was has been superseded by what it is; a question or an answer still counts
            return
        self._dispatch(member, datagram, source)

    def _note(self, member: Member, datagram: Datagram, source: Endpoint) -> None:
        """What its sender is, as of its newest word."""
        node, header = self.node, datagram.header
        contact.revive(node, member)
        moved = contact.follow_move(node, member, datagram, source)
        leading.note_rival(node, member, header)
        member.update(header, source=source, now_us=node.now_us)
        self._learn_terms(member)
        leading.raise_term(node, member)
        granted = node.promise.is_held_by(member.session) and node.promise.is_live(node.now_us)
        leads = header.role is Role.LEADER and node.leader.node in (NOBODY, node.id)
        if leads and not granted and not moved:  # it is asked at one address: where it was heard last
            contact.probe(node, member.node, member.session, member.endpoint)  # a round trip, then handover.meet_leader

    def _learn_terms(self, member: Member) -> None:
        node = self.node
        node.term_seen = max(node.term_seen, member.leader.term, member.floor.term)
        if member.floor.node == node.id and member.floor.term > node.claimed:
            node.rolled_back = True  # harmless by now: what this node claims next is above it

    def _on_verified(self, member: Member) -> None:
        node = self.node
        self._learn_terms(member)
        promise = node.promise
        if promise.ballot.node == member.node and promise.session != member.session and promise.is_live(node.now_us):
            following.leader_gone(node, Reason.LEADER_CRASHED)  # its host has a new session: the one that led is dead
        seeking.learn(node)
        handover.meet_leader(node, member)
        leading.raise_term(node, member)

    def _dispatch(self, member: Member, datagram: Datagram, source: Endpoint) -> None:  # noqa: C901, PLR0915 - the table of messages
        node, sequence = self.node, datagram.header.sequence
        match datagram.body:
            case Announce() as body:
                member.name, member.version, member.tags = body.name, body.version, body.tags
                member.interval_us = max(body.interval_ms, 100) * MS
                if source.is_better_than(member.endpoint):
                    contact.probe(node, member.node, member.session, source)  # its answer makes it the endpoint
            case Heartbeat() as body:
                handover.on_successor_leads(node, member)
                following.on_heartbeat(node, member, body, sequence=sequence)
            case Probe() as body:
                contact.answer_probe(node, datagram.header, source, body)
                claiming.ask_again(node, member)
            case ProbeAck() as body:
                self._on_probe_ack(member, datagram.header, body, source)
            case Claim() as body:
                voting.on_claim(node, member, body)
            case Grant() as body:
                claiming.on_grant(node, member, body)
            case Refuse() as body:
                claiming.on_refuse(node, member, body)
            case Resign() as body:
                handover.on_resign(node, member, body)
            case Ping() as body:
                leading.on_ping(node, member, body)
            case Pong() as body:
                following.on_pong(node, member, body, sequence=sequence)
            case Ack() as body:
                leading.on_ack(node, member, body)
            case Offer() as body:
                handover.on_offer(node, member, body)
            case Ready() as body:
                handover.on_ready(node, member, body)
            case Survey() as body:
                survey.on_survey(node, member.node, member.endpoint, body)
            case Report() as body:
                survey.on_report(node, datagram.header, body)
            case Roster() as body:
                contact.on_roster(node, member, body, source)
            case Obituary():
                raise AssertionError("an obituary is no word of a living session")

    def _on_probe_ack(self, member: Member, header: Header, ack: ProbeAck, source: Endpoint) -> None:
        node = self.node
        challenge = node.challenges.take(member.node, member.session, echo=ack.echo)
        if challenge is None:
            node.drop("unasked")
            return
        member.contact_us = max(member.contact_us, challenge.sent_us)
        if node.role is Role.LEADER:
            node.contact_us = max(node.contact_us, challenge.sent_us)
        if member.would_move(source, node.now_us):
            member.move(source, node.now_us)
        contact.note_returns(node, ack)
        contact.answer_challenge(node, header, source, ack)
        seeking.learn(node)
        handover.meet_leader(node, member)

    def persisted(self, ceiling: Term, *, hold_us: int = 0, now_us: int) -> list[Effect]:
        self._begin(now_us)
        self.node.hold_us = max(self.node.hold_us, hold_us)
        self.node.ceiling = max(self.node.ceiling, ceiling)
        claiming.on_persisted(self.node)
        return self._end()

    def refused(self, endpoint: Endpoint, *, now_us: int) -> list[Effect]:
        """The host there said that nobody listens on that port (ICMP): a hint."""
        self._begin(now_us)
        following.on_refused(self.node, endpoint)
        return self._end()

    def links_changed(self, links: int, *, now_us: int) -> list[Effect]:
        """How many network links are usable now. Without any a leader cannot know that it leads: it stops after four
        beats.
        """
        self._begin(now_us)
        node = self.node
        if not self._started:
            self._started = True
            node.out.append(event(node, EventKind.STARTED, former_role=node.role, former=NOBODY))
        before, node.links = node.links, links
        if links and not before:
            node.isolated_at_us = NEVER
            if node.role is Role.JOINING:
                node.join(Reason.JOINED)
        elif before and not links:
            node.isolated_at_us = node.now_us + _ISOLATED_AFTER_BEATS * node.timing.heartbeat_us
        elif links:
            node.announced, node.announce_at_us = 0, min(node.announce_at_us, node.now_us)
        elif node.role is Role.JOINING:
            node.why = Reason.ISOLATED
        return self._end()

    # -- commands --------------------------------------------------------------------------------------------------------

    def configure(self, settings: Settings, *, now_us: int) -> list[Effect]:
        """New settings take effect at once; leadership is kept, unless the priority is 0 now."""
        self._begin(now_us)
        node = self.node
        before, changed = node.settings, settings.priority != node.settings.priority
        node.settings = replace(settings, cluster=node.settings.cluster)
        node.detector.configure(settings.timing)
        if (before.voters, before.timing) != (settings.voters, settings.timing):
            quorum.on_configured(node, before)
        node.announce_at_us = (
            min(node.announce_at_us, node.now_us) if node.role is not Role.JOINING else node.announce_at_us
        )
        if changed:
            self._on_priority_changed()
        return self._end()

    def set_priority(self, priority: int, *, now_us: int) -> list[Effect]:
        return self.configure(replace(self.node.settings, priority=priority), now_us=now_us)

    def set_unfit(self, why: str, *, now_us: int) -> list[Effect]:
        """`why` (one word for `ineligible_reason`) this node must not lead, or "" once it may again."""
        self._begin(now_us)
        self.node.unfit = why
        self._give_up_claim_if_ineligible()
        if why and self.node.role is Role.LEADER:
            self._stand_aside(Reason.CHECK_FAILED)
        return self._end()

    def _on_priority_changed(self) -> None:
        node = self.node
        node.failures = 0
        self._give_up_claim_if_ineligible()
        if node.role is Role.LEADER:
            if node.priority == 0:
                self._stand_aside(Reason.PRIORITY_CHANGED)
            else:
                node.beat()
        else:
            preempting.arm(node)

    def _give_up_claim_if_ineligible(self) -> None:
        node = self.node
        if node.campaign is not None and node.role is not Role.LEADER and not node.eligible:
            claiming.give_up(node)

    def _stand_aside(self, reason: Reason) -> None:
        if not handover.begin(self.node, reason):
            handover.resign(self.node, reason)

    def step_down(self, *, to: str | None, for_us: int, now_us: int) -> list[Effect]:
        """Hand over to the next in rank, or to the member named. Raises StepDownError (NotLeader, UnknownMember,
        NoSuccessor).
        """
        self._begin(now_us)
        node = self.node
        if node.role is not Role.LEADER:
            raise StepDownError("NotLeader", "this node does not lead")
        target = None
        if to is not None:
            target = node.members.named(to)
            if target is None or to == node.settings.name:
                raise StepDownError("UnknownMember", f"no other live member is called {to!r} (see `kingctl members`)")
            if target.priority == 0 or not target.eligible:
                raise StepDownError("NoSuccessor", f"{to} is not eligible to lead (see `kingctl members`)")
            node.refused_handover.pop(target.node, None)
        node.abstain_for_us = for_us
        if not handover.begin(node, Reason.STEP_DOWN, to=target):
            raise StepDownError("NoSuccessor", "no other member is alive, eligible and in contact with this node")
        self._stepping_down = True
        return self._end()

    def survey(self, token: int, *, now_us: int) -> list[Effect]:
        self._begin(now_us)
        survey.start(self.node, token)
        return self._end()

    def stop(self, *, now_us: int) -> list[Effect]:
        """Hand over, say goodbye; `Stopped` comes when the process may end."""
        self._begin(now_us)
        node = self.node
        if node.stopping:
            return self._end()
        node.out.append(event(node, EventKind.STOPPING, former_role=node.role, former=node.leader.node))
        node.stopping = True
        if node.role is not Role.LEADER:
            claiming.give_up(node)
            if not node.duplicate:
                handover.say_goodbye(node)
            node.stop_at_us = node.now_us
        elif not handover.begin(node, Reason.LEADER_LEFT, leaving=True):
            handover.resign(node, Reason.LEADER_LEFT, leaving=True)
        return self._end()

    def tick(self, *, now_us: int) -> list[Effect]:
        """Run what is due."""
        self._begin(now_us)
        fired = 0
        while (handler := timers.due(self.node)) is not None:
            assert fired < _FIRED_MAX, self.node
            fired += 1
            handler(self.node)
        return self._end()

    # -- before and after each entry
    # --------------------------------------------------------------------------------------------

    def _begin(self, now_us: int) -> None:
        node = self.node
        assert now_us >= node.now_us, "the clock went back"
        late_us = now_us - max(self._deadline_us, node.now_us)
        node.now_us = now_us
        if late_us > node.timing.heartbeat_us // 2:
            self._on_late(late_us)
        if node.role is Role.LEADER and not quorum.has_lease(node, now_us):
            leading.on_lease_over(node)  # before anything that enters now
            self._publisher.publish(node)

    def _on_late(self, late_us: int) -> None:
        """The process did not run when it should have: what it missed is not the others' silence."""
        node = self.node
        node.members.excuse(late_us)
        node.hearsay.excuse(late_us)
        node.detector.excuse(late_us)
        if node.role is Role.FOLLOWER:
            node.promise.until_us += late_us
        if node.join_at_us != NEVER:
            node.join_at_us += late_us
        if node.campaign is not None and node.campaign.started_us != NEVER:
            node.campaign.started_us += late_us
        if node.role is Role.LEADER and not node.in_quorum_mode and node.now_us - node.beat_us > node.timing.stall_us:
            leading.on_stall(node)
            self._publisher.publish(self.node)  # at once: what enters now may bring the next leader

    def _end(self) -> list[Effect]:
        node = self.node
        self._publisher.publish(node)
        self._settle()
        self._others_us = timers.others_us(node)
        self._deadline_us = timers.next_us(node, others_us=self._others_us)
        out, node.out = node.out, []
        return out

    def _settle(self) -> None:
        """What follows from the new state, whichever way it came about."""
        node = self.node
        claiming.keep_ceiling_ahead(node)
        if node.will_role is not node.role and not node.stopped:
            will.write(node)
        preempting.arm(node)
        resigned = node.role is not Role.LEADER and node.yielded is None
        if node.stopping and not node.stopped and node.stop_at_us == NEVER and resigned:
            node.stop_at_us = node.now_us
        if self._stepping_down:
            self._tell_step_down()
        if node.overlap_ended and (node.role is not Role.LEADER or node.campaign is None):
            node.overlap_ended = False
            node.out.append(event(node, EventKind.OVERLAP_RESOLVED, former_role=node.role, former=node.id))

    def _tell_step_down(self) -> None:
        node = self.node
        if node.role is Role.FOLLOWER:
            node.out.append(HandedOver(node.peer(node.leader.node)))
        elif node.handover is None and node.yielded is None:
            node.out.append(HandedOver(None))
        else:
            return
        self._stepping_down = False


def _term_in(datagram: Datagram) -> int:
    """The highest term that the body could teach us."""
    match datagram.body:
        case Claim(term=term):
            return term
        case Resign(ballot=ballot) | Refuse(holder=ballot):
            return ballot.term
        case _:
            return 0
