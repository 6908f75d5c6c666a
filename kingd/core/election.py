"""The state machine's door: datagrams, time and commands go in, a list of effects comes out. docs/protocol.md 4.

`Core` knows no clock, socket, file or log, and raises for nothing that a peer can send. Each entry takes `now_us`,
which never goes back; after each, `deadline_us` says when `tick` is due. The effects are carried out in the order of the
list, which effect.py tells. What is behind the door, `node`, is for the simulator, the explorer and their like. What is
done about each entry is in dispatch.py, timers.py and commands.py, and the rules are in the modules beside them, by topic."""

import random
from collections.abc import Mapping

from kingd.core.acquaintance import Acquaintance
from kingd.core.effect import Effect, EventKind, Persist, in_order
from kingd.core.facts import Glance, MemberRow
from kingd.core.problems import Obstacle
from kingd.core.rules import (
    becoming,
    claiming,
    commands,
    contact,
    dispatch,
    following,
    leading,
    mode,
    pre_voting,
    repeated,
    seeking,
    survey,
    timers,
    voters,
    will,
)
from kingd.core.rules.glance import glance
from kingd.core.rules.publishing import Publisher, event
from kingd.core.settings import Settings, Voters
from kingd.core.state.durable import Durable
from kingd.core.state.node import Node
from kingd.core.state.orders import Orders
from kingd.core.state.promise import Promise
from kingd.core.state.quorum import Quorum
from kingd.core.state.roles import Follower, Joining, Leader
from kingd.core.status import Status, members, status
from kingd.core.timing import NEVER, promise_us
from kingd.core.wire.endpoint import Endpoint
from kingd.core.wire.message import NOBODY, Ballot, Datagram, Ineligible, NodeId, Reason, Role, SessionId, Term
from kingd.records import replace

_FIRED_MAX = 16  # a handler may arm what is due at once; more than this is a timer that is not re-armed


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
        in_force: Voters | None = None,
        unfit: Mapping[Ineligible, int] | None = None,
    ) -> None:
        """What earlier sessions of this node made durable: `ceiling`, above which this one claims; `term`, of the
        newest leadership that they followed: this one follows none below it; `hold_us`, the longest promise that they may
        have given: a voter gives none for so long; and `in_force`, the list of voters (None: there was none),
        with which this session begins, unless quorum mode is switched on or off. `unfit`: why it may not lead, until when."""
        assert node_id != NOBODY
        assert session != 0
        listed = in_force if in_force and bool(in_force.names) == bool(settings.voters) else Voters(settings.voters)
        votes = settings.name in listed.names
        own_us = max(hold_us, promise_us(settings.timing.lease_us))
        wait_us = own_us if votes else 0
        knows = votes and ceiling > 0 and hold_us > 0  # what its earlier sessions have promised
        self.node = Node(
            settings=settings,
            id=node_id,
            session=session,
            rng=rng,
            now_us=now_us,
            term_seen=Term(max(ceiling, term)),
            orders=Orders(unfit=dict(unfit or {})),
            durable=Durable.of(ceiling=ceiling, term=term, hold_us=hold_us, wanted_us=wait_us, voters=in_force),
            promise=Promise(floor=Ballot(max(ceiling, term) if votes else term, NOBODY), until_us=now_us + wait_us),
            quorum=Quorum(
                voters=listed,
                listed_us=now_us,
                recovered=knows,
                recovering_since_us=now_us,
                recover_from_us=now_us + max(own_us, promise_us(settings.timing.vote_us)),
            ),
        )
        self.node.rounds.sweep_by(now_us)
        self._publisher = Publisher()
        self._others_us = timers.others_us(self.node)  # a heartbeat need not look at these again
        self._deadline_us = timers.next_us(self.node, others_us=self._others_us)

    # -- what the driver may ask -----------------------------------------------------------------------------------------

    @property
    def deadline_us(self) -> int:
        """When `tick` is due."""
        return self._deadline_us

    @property
    def settings(self) -> Settings:
        """Those in force, but for the list of voters, which is the one that is wanted."""
        return self.node.settings

    @property
    def id(self) -> NodeId:
        return self.node.id

    @property
    def session(self) -> SessionId:
        return self.node.session

    @property
    def role(self) -> Role:
        """The state machine's. What may be said of it after a stall, `status` says."""
        return self.node.role

    @property
    def standing(self) -> tuple[Role, Ballot]:
        """Who leads as `status` says, but for what time alone changes. Cheap: to be looked at after each step, for not every
        change is an event."""
        return self.node.role, self.node.leader

    @property
    def leads_until_us(self) -> int:
        """Until when it does without a further step; 0: it does not lead."""
        return mode.of(self.node).leads_until_us(self.node) if isinstance(self.node.state, Leader) else 0

    @property
    def draining(self) -> Reason | None:
        """For which hand-over what runs because this node leads is to be ended, or was. None: for none."""
        return None if self.node.drain is None else self.node.drain.reason

    @property
    def stopped(self) -> bool:
        """Goodbye was said: it answers nobody any more."""
        return self.node.orders.stopped

    @property
    def dropped(self) -> Mapping[str, int]:
        """How many datagrams were understood and not believed, or of no use, by reason."""
        return self.node.out.dropped

    @property
    def acquaintance(self) -> Acquaintance:
        return Acquaintance(self.node)

    def endpoints(self, *, alive: bool = True) -> list[Endpoint]:
        """Where the verified members are that are alive, or all that are known."""
        return [m.endpoint for m in (self.node.members.alive() if alive else self.node.members.verified())]

    def news(self) -> list[tuple[SessionId, int]]:
        """Whose words are news, and from which sequence number on: the live members' sessions, the leader's first, then by
        rank."""
        leader = self.node.leader.node
        known = sorted(self.node.members.alive(), key=lambda member: (member.node != leader, member.rank))
        return [(member.session, member.window.newest) for member in known]

    def refusal(self, wanted: tuple[str, ...]) -> Obstacle | None:
        """Why this list of voters can never be the next one, or None."""
        return voters.refusal(self.node, wanted)

    @property
    def obstacle(self) -> Obstacle | None:
        """What the list of voters that was configured waits for, or None if it is in force."""
        return voters.obstacle(self.node)

    @property
    def lasting(self) -> Persist:
        """What a session that ends leaves on the disk: no word of a knowledge of its promises that it does not have."""
        node = self.node
        term = node.term_seen if node.quorum.knows or not node.is_voter else Term(0)
        return Persist(term, node.promise.floor.term, node.hold_us)

    def status(self, now_us: int) -> Status:
        return status(self.node, now_us)

    def members(self, now_us: int) -> list[MemberRow]:
        """All that are known, verified or heard of, and this node; the first in rank first."""
        return members(self.node, now_us)

    def repeat(self, beat: Datagram, sequence: int, *, source: Endpoint, now_us: int) -> bool:
        """`beat` once more, with this sequence number (and perhaps another count). Whether that was all there is to it: then
        the promise is renewed, and no effect follows. If not, nothing has happened, and it is to be handed to `receive`."""
        if now_us > self._deadline_us:
            return False
        leader = repeated.its_leader(self.node, beat, sequence, source=source)
        if leader is None:
            return False
        self.node.now_us = now_us
        repeated.take(self.node, leader, beat, sequence)
        self._deadline_us = timers.next_us(self.node, others_us=self._others_us)
        return True

    def glance(self, data: bytes, *, by_group: bool) -> Glance:
        """Whether this is worth reading. Nothing is believed, and nothing happens, but that it is counted if not."""
        return glance(self.node, data, by_group=by_group)

    # -- what comes in ---------------------------------------------------------------------------------------------------

    def receive(self, datagram: Datagram, *, source: Endpoint, now_us: int) -> list[Effect]:
        self._begin(now_us)
        dispatch.receive(self.node, datagram, source)
        return self._end()

    def persisted(
        self, ceiling: Term, *, hold_us: int = 0, in_force: Voters | None = None, now_us: int
    ) -> list[Effect]:
        """These are durable now, as `Persist` asked for."""
        self._begin(now_us)
        self.node.durable.persisted(ceiling, hold_us=hold_us, voters=in_force)
        seeking.recover(self.node)
        claiming.on_persisted(self.node)
        return self._end()

    def refused(self, endpoint: Endpoint, *, now_us: int) -> list[Effect]:
        """The host there said that nobody listens on that port (ICMP): a hint."""
        self._begin(now_us)
        following.on_refused(self.node, endpoint)
        return self._end()

    def links_changed(self, links: int, *, now_us: int) -> list[Effect]:
        """How many network links are usable now. Without any a leader cannot know that it leads: it stops after four
        beats."""
        self._begin(now_us)
        commands.set_links(self.node, links)
        return self._end()

    # -- commands --------------------------------------------------------------------------------------------------------

    def configure(self, settings: Settings, *, now_us: int) -> list[Effect]:
        """New settings take effect at once; leadership is kept, unless the priority is 0 now."""
        self._begin(now_us)
        commands.configure(self.node, settings)
        return self._end()

    def set_priority(self, priority: int, *, now_us: int) -> list[Effect]:
        return self.configure(replace(self.node.settings, priority=priority), now_us=now_us)

    def set_unfit(self, why: Ineligible, *, until_us: int = NEVER, now_us: int) -> list[Effect]:
        """This node may not lead for that reason, until then. 0: not for that one any more."""
        self._begin(now_us)
        commands.set_unfit(self.node, why, until_us)
        return self._end()

    def step_down(self, *, to: str | None, for_us: int, now_us: int) -> list[Effect]:
        """Hand over to the next in rank, or to the member of that name or id; `HandedOver` says who it was. Raises
        StepDownError."""
        self._begin(now_us)
        commands.step_down(self.node, to=to, for_us=for_us)
        return self._end()

    def set_drains(self, on: bool, *, now_us: int) -> list[Effect]:
        """Whether anything runs here because this node leads, which is to be ended (`Draining`) before it hands over."""
        self._begin(now_us)
        commands.set_drains(self.node, on)
        return self._end()

    def drained(self, *, now_us: int) -> list[Effect]:
        """It has ended."""
        self._begin(now_us)
        commands.drained(self.node)
        return self._end()

    def survey(self, token: int, *, now_us: int) -> list[Effect]:
        """Ask every member for its view; `Surveyed` has the answers."""
        self._begin(now_us)
        survey.start(self.node, token)
        return self._end()

    def stop(self, *, now_us: int) -> list[Effect]:
        """Hand over, say goodbye; `Stopped` comes when the process may end."""
        self._begin(now_us)
        commands.stop(self.node)
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

    def _begin(self, now_us: int) -> None:
        node = self.node
        assert now_us >= node.now_us, "the clock went back"
        late_us = now_us - max(self._deadline_us, node.now_us)
        node.now_us = now_us
        if late_us > node.timing.heartbeat_us // 2:
            self._on_late(late_us)
        if not isinstance(node.state, Leader):
            return
        is_late = now_us > node.state.heartbeat_at_us + node.timing.heartbeat_us // 2
        if now_us >= node.lease_end_us:
            leading.on_lease_over(node)  # before anything that enters now
            self._publisher.publish(node)
        elif is_late and node.is_large and not becoming.is_lonely(node):
            # Before it answers, one by one, the hundreds that miss it. (A lonely one looks first whether somebody hears it.)
            mode.of(node).extend_lease(node, node.state.votes)
            becoming.beat(node, node.state)

    def _on_late(self, late_us: int) -> None:
        """The process did not run when it should have: what it missed is not the others' silence."""
        node = self.node
        contact.excuse(node, late_us)
        node.detector.excuse(late_us)
        if node.role is Role.FOLLOWER:
            node.promise.excuse(late_us)
        if isinstance(node.state, Joining):
            node.state.excuse(late_us)
        asked = node.state.pre_vote if isinstance(node.state, Follower) else node.campaign
        if asked is not None and asked.request is not None:
            asked.request.excuse(late_us)
        leads = isinstance(node.state, Leader) and node.now_us > node.state.stalls_at_us(node.timing)
        if leads and not node.is_exclusive:
            leading.on_stall(node)
            self._publisher.publish(self.node)  # at once: what enters now may bring the next leader

    def _end(self) -> list[Effect]:
        node = self.node
        self._publisher.publish(node)
        self._settle()
        self._others_us = timers.others_us(node)
        self._deadline_us = timers.next_us(node, others_us=self._others_us)
        return in_order(node.out.take())

    def _settle(self) -> None:
        """What follows from the new state, whichever way it came about."""
        node = self.node
        claiming.keep_ceiling_ahead(node)
        if node.will.role is not node.role and not node.orders.stopped:
            will.write(node)
        pre_voting.arm_preempting(node)
        commands.settle(node)
        if node.news.overlap_ended and (node.role is not Role.LEADER or node.campaign is None):
            node.news.end_overlap(False)
            node.out.append(event(node, EventKind.OVERLAP_RESOLVED, former_role=node.role, former=node.id))
