"""The state machine's door: datagrams, time and commands go in, a list of effects comes out. docs/protocol.md 4.

`Core` knows no clock, socket, file or log, and raises for nothing that a peer can send. Each entry takes `now_us`,
which never goes back; after each, `deadline_us` says when `tick` is due. The rules are in the modules beside this
one, by topic."""

import random
from dataclasses import replace

from kingd.core import claiming, contact, following, handover, leading, quorum, survey, voting, will
from kingd.core.effect import Effect, EventKind, HandedOver, Stopped, Will
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
from kingd.core.timing import MS, NEVER, SECOND, promise_us

_PREEMPT_WAIT_US_MAX = 600 * SECOND
_PREEMPT_AGAIN_US = 1_000 * MS
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
        self._others_us = NEVER  # what is due next, but for what a heartbeat puts off
        self._deadline_us = self._next_us()
        self._started = False
        self._stopped = False

    # -- what the driver may ask -----------------------------------------------------------------------------------------

    @property
    def deadline_us(self) -> int:
        """When `tick` is due."""
        return self._deadline_us

    def _next_us(self) -> int:
        n = self.node
        until_us = n.promise.until_us if n.role is Role.FOLLOWER else NEVER
        self._others_us = min(
            n.join_at_us,
            n.isolated_at_us,
            n.announce_at_us,
            n.heartbeat_at_us,
            n.seek_at_us,
            n.sweep_at_us,
            n.preempt_at_us,
            n.namesake_at_us,
            n.stop_at_us,
            claiming.deadline_us(n),
            quorum.deadline_us(n),
            handover.offer_deadline_us(n),
            handover.yielded_deadline_us(n),
            survey.deadline_us(n),
        )
        return min(self._others_us, n.ping_at_us, until_us)

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
        self._deadline_us = min(self._others_us, node.ping_at_us, promise.until_us)
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
        self._learn()
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
        self._learn()
        handover.meet_leader(node, member)

    def _learn(self) -> None:
        """A voter without history was told something: perhaps it knows enough now."""
        node = self.node
        if not node.learned and quorum.learn(node) and node.role is Role.JOINING:
            node.seek(None, delay_us=node.turn_us())

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
            self._arm_preemption()

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
        for _ in range(16):  # a handler may arm what is due at once; more than this is a timer that is not re-armed
            if self._next_us() > now_us:
                break
            self._fire()
        assert self._next_us() > now_us, self.node
        return self._end()

    def _fire(self) -> None:
        node = self.node
        due = [
            (node.isolated_at_us, self._on_isolated),
            (node.join_at_us, self._on_join_time),
            (node.announce_at_us, lambda: contact.announce(node)),
            (node.ping_at_us, lambda: following.on_ping_time(node)),
            (node.heartbeat_at_us, lambda: leading.on_heartbeat_time(node)),
            (node.promise.until_us if node.role is Role.FOLLOWER else NEVER, lambda: following.on_expired(node)),
            (node.seek_at_us, self._on_seek_time),
            (node.preempt_at_us, self._on_preempt_time),
            (node.sweep_at_us, self._on_sweep_time),
            (node.namesake_at_us, lambda: contact.look_for_namesake(node)),
            (claiming.deadline_us(node), lambda: claiming.on_timer(node)),
            (quorum.deadline_us(node), lambda: leading.on_lease_over(node)),
            (handover.offer_deadline_us(node), lambda: handover.on_offer_timer(node)),
            (handover.yielded_deadline_us(node), lambda: handover.on_yielded_timer(node)),
            (survey.deadline_us(node), lambda: survey.on_timer(node)),
            (node.stop_at_us, self._on_stop_time),
        ]
        min(due, key=lambda timer: timer[0])[1]()

    # -- timers that belong to no single topic
    # --------------------------------------------------------------------------------

    def _on_isolated(self) -> None:
        self.node.isolated_at_us = NEVER
        self.node.join(Reason.ISOLATED)

    def _on_join_time(self) -> None:
        node = self.node
        if node.now_us < node.learn_from_us and not node.learned:
            node.join_at_us = node.learn_from_us
            return
        self._learn()
        if not node.learned:
            contact.ask_voters(node)
            node.join_at_us = (
                node.now_us + 2 * node.timing.challenge_us
            )  # in between it may ask who moved, at the new address
            return
        node.seek(None, delay_us=node.turn_us())

    def _on_seek_time(self) -> None:
        node = self.node
        if node.promise.is_live(node.now_us):
            node.seek_at_us = node.promise.until_us + quorum.turn_us(node)
        elif not node.eligible:
            node.seek_at_us = node.now_us + node.timing.leader_timeout_us
        elif node.hears_foreign_leader() and not node.foreign_lonely:
            node.back_off()  # somebody leads, and is being probed
        elif not quorum.hears_majority(node):
            node.seek_at_us = node.now_us + node.timing.slot_us
        elif contact.verify_hearsay(node, len(node.hearsay)):
            node.seek_at_us = node.now_us + 2 * node.timing.round_trip_us  # who is there by then is asked
        else:
            claiming.start(node, node.why, ticket=node.inherited)

    def _on_sweep_time(self) -> None:
        node = self.node
        contact.sweep(node)
        node.will_role = None  # others may be next by now
        if node.role is Role.SEEKING and node.waits_for_foreign and not node.hears_foreign_leader():
            node.waits_for_foreign = (
                False  # the leader that it could hear but not reach is gone: no reason to wait longer
            )
            node.seek_at_us = min(node.seek_at_us, node.now_us + node.turn_us())
        if node.role is Role.SEEKING and not quorum.hears_majority(node):
            contact.ask_voters(node)
        elif node.role is Role.SEEKING and node.failures:
            self._look_for_contact()

    def _look_for_contact(self) -> None:
        """It backs off ever longer because nobody answers it: the first round trip ends that, or that nobody is there."""
        node = self.node
        if node.has_contact() or contact.hears_nobody(node):
            node.failures = 0
            node.seek_at_us = min(node.seek_at_us, node.now_us + node.turn_us())
            return
        contact.look_for_contact(node)

    def _on_preempt_time(self) -> None:
        node = self.node
        leader = node.followed()
        node.preempt_at_us, node.waits_for_all = NEVER, False
        if leader is None or not self._may_preempt(leader):
            return
        if not following.knows_all(node, leader):
            contact.verify_hearsay(node, len(node.hearsay))
            following.ask(node, leader, for_roster=True)
            node.preempt_at_us, node.waits_for_all = node.now_us + 2 * node.timing.heartbeat_us, True
            return
        if node.campaign is None:
            same = node.followed_priorities == (leader.priority, node.priority)
            claiming.start(node, Reason.HIGHER_PRIORITY if same else Reason.PRIORITY_CHANGED, prepare=True)
        node.preempt_at_us = node.now_us + (_PREEMPT_AGAIN_US << min(node.failures, 2))

    def _may_preempt(self, leader: Member) -> bool:
        node = self.node
        return node.priority > leader.priority and node.can_claim and node.settings.preempt.enabled

    def _arm_preemption(self) -> None:
        """Strictly higher priority only: equal ones never bounce. The wait doubles with each return of a flapping node."""
        node = self.node
        leader = node.followed()
        if leader is None or not self._may_preempt(leader):
            return
        if node.preempt_at_us != NEVER:
            if node.waits_for_all and following.knows_all(node, leader):
                node.preempt_at_us = node.now_us
            return
        base_us = node.settings.preempt.wait_us
        wait_us = max(base_us, min(base_us << min(max(0, node.returns - 1), 16), _PREEMPT_WAIT_US_MAX))
        turn_us = node.turn_us(without=leader.node)  # the best first: or it would go up step by step
        node.preempt_at_us = max(node.now_us, node.followed_us + wait_us) + turn_us

    def _on_stop_time(self) -> None:
        self.node.stop_at_us = NEVER
        self._stopped = True
        self.node.out += [Will(None), Stopped()]  # goodbye was said

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
        self._deadline_us = self._next_us()
        out, node.out = node.out, []
        return out

    def _settle(self) -> None:
        """What follows from the new state, whichever way it came about."""
        node = self.node
        claiming.keep_ceiling_ahead(node)
        if node.will_role is not node.role and not self._stopped:
            will.write(node)
        self._arm_preemption()
        resigned = node.role is not Role.LEADER and node.yielded is None
        if node.stopping and not self._stopped and node.stop_at_us == NEVER and resigned:
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
