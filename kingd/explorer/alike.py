"""What is made alike before and after each step of a host, since it makes no difference within a scope: else hardly two
ways would lead to one state, and no scope would come to its end."""

from kingd.core.effect import Effect
from kingd.core.state.detector import Detector
from kingd.core.state.members import ReplayWindow, State
from kingd.core.state.node import Node
from kingd.core.state.roles import Follower, Leader
from kingd.core.timing import MS, NEVER
from kingd.core.wire.message import Ack, Datagram, Ping, Probe, Role
from kingd.explorer.frozen import freeze, thaw
from kingd.explorer.host import ORIGIN_US
from kingd.explorer.scope import TICK_US, Scope

_PER_TICK = 32  # sequence numbers in a tick: a whole run stays within the replay window
_ALWAYS = 1 << 60  # a time that is never long ago


def prepare(node: Node, age_us: int) -> None:
    """Sequence numbers go by the time since the session began, so that what was sent before does not tell states apart."""
    node.out.sequence = max(node.out.sequence, age_us // TICK_US * _PER_TICK)


def expect_anew(node: Node, datagram: Datagram) -> None:
    """Whoever has started again had its last round trip in its former session before that: `tidy` has forgotten when."""
    former = node.members.get(datagram.header.source)
    if former is not None and former.session != datagram.header.session:
        former.contact_us = 0


def round_off(node: Node) -> list[Effect]:
    """Those who have met have sent more or fewer datagrams to each other, in one order or another: it makes no difference.
    Who came back under another id is known to be dead under the former one."""
    newest = {member.name: member for member in node.members.verified()}
    node.out.sequence |= _PER_TICK // 2 - 1
    for member in node.members.verified():
        member.window.newest |= _PER_TICK // 2 - 1
        if newest[member.name] is not member:
            member.state = State.DEAD
    return []


def silence(node: Node) -> None:
    """No announcements but those of a meeting, and no sweeps but of who has to learn what it promised: nobody is silent for
    five announcements within a scope."""
    node.rounds.announce_at_us = node.namesake.at_us = NEVER
    if not node.is_recovering or node.role is Role.JOINING:
        node.rounds.sweep_at_us = NEVER


def tidy(node: Node, scope: Scope, now_us: int) -> None:
    """Make alike what cannot make a difference within the scope: what does not travel was never sent; a run is shorter than
    the time in which a member or a contact grows stale, and no jitter is measured in it."""
    node.rounds.announced, node.strangers.since_us, node.strangers.probed = 3, 0, 0
    node.out.dropped.clear()
    node.strangers.unanswered.clear()
    node.strangers.asking_since_us = 0
    node.strangers.earning.clear()
    node.foreign.sequences.clear()
    if not node.is_recovering:
        node.quorum.recovering_since_us = node.quorum.recover_from_us = 0
        if node.quorum.listed_us < now_us and not scope.late_ticks and not scope.any_time:
            node.quorum.listed_us = 0  # what was asked by the list before is lost
    if not node.is_recovering and Probe not in scope.carries:
        node.challenges = type(node.challenges)()
    node.detector = _tidied(node.detector, keeps_pings=Ping in scope.carries)
    _tidy_role(node, keeps_pings=Ping in scope.carries, keeps_echoes=Ack in scope.carries, now_us=now_us)
    node.rounds.rejoined_us = node.strangers.heard_us = -NEVER
    if not scope.disk:
        node.durable.ceiling_asked_us = 0
    for member in node.members.verified():
        member.heard_us = member.multicast_us = member.endpoint_us = member.endpoint_seen_us = _ALWAYS
        member.roster_us = _ALWAYS
        member.starts = ()
        if not node.is_recovering:
            member.contact_us = member.met_us = member.new_us = _ALWAYS
        if Ping not in scope.carries:
            member.heard_sequence = 0
        if not scope.repeats:
            member.window = _window(member.window.newest)


def _tidy_role(node: Node, *, keeps_pings: bool, keeps_echoes: bool, now_us: int) -> None:
    state = node.state
    if isinstance(state, Follower) and not keeps_pings:
        state.prove_at_us = NEVER
    if not isinstance(state, Leader):
        return
    if not keeps_echoes:
        state.echoes = {}
    elif not keeps_pings:
        fresh_us = now_us - node.lease_ms * MS if node.in_quorum_mode else NEVER
        state.echoes = {q: us for q, us in state.echoes.items() if us > fresh_us}
    state.proven_us = _ALWAYS if state.proven_us >= 0 else -1
    if state.raised_us < now_us:
        state.raised_us = 0


def _tidied(detector: Detector, *, keeps_pings: bool) -> Detector:
    frozen = list(freeze(detector))
    names = list(vars(detector))
    frozen[1 + names.index("_gaps_us")] = (list, 0, 0)
    frozen[1 + names.index("_bucket_us")] = ORIGIN_US
    if not keeps_pings:
        frozen[1 + names.index("_pings")] = (dict,)
    tidied: Detector = thaw(tuple(frozen))
    return tidied


def _window(newest: int) -> ReplayWindow:
    """Has seen nothing: each datagram comes once."""
    window = ReplayWindow()
    window.newest = newest
    return window
