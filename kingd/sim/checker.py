"""The invariants, looked at after every effect. docs/protocol.md 7.

AV1: no ballot is led by two sessions. AV2: within a session, the ballots followed or led never fall. SHOWN: what users are told
alternates: elected only by who did not lead, deposed only by who did.
"""

from dataclasses import dataclass, field

from kingd.core.effect import Event, EventKind
from kingd.core.message import NO_BALLOT, Ballot, Role
from kingd.core.node import Node


class SafetyError(AssertionError):
    """An invariant does not hold."""


@dataclass(slots=True)
class Checker:
    _led: dict[Ballot, int] = field(default_factory=dict)  # ballot -> session that led it
    _seen: dict[int, Ballot] = field(default_factory=dict)  # session -> highest ballot that it followed or led
    _leads: set[int] = field(default_factory=set)  # sessions that were announced as leaders to their users
    leader_changes: int = 0

    def check(self, node: Node) -> None:
        ballot = node.leader
        if ballot == NO_BALLOT:
            return
        if node.role is Role.LEADER and self._led.setdefault(ballot, node.session) != node.session:
            raise SafetyError(f"AV1: {ballot} is led by two sessions")
        if ballot < self._seen.get(node.session, NO_BALLOT):
            raise SafetyError(f"AV2: {node.settings.name} went from {self._seen[node.session]} back to {ballot}")
        self._seen[node.session] = ballot
        if node.promise.ballot < ballot:
            raise SafetyError(f"FLOOR: {node.settings.name} follows {ballot} above its promise {node.promise.ballot}")

    def on_event(self, node: Node, event: Event) -> None:
        leads = node.session in self._leads
        if event.kind is EventKind.ELECTED:
            if leads:
                raise SafetyError(f"SHOWN: {node.settings.name} was elected twice")
            self._leads.add(node.session)
            self.leader_changes += 1
        elif event.kind is EventKind.DEPOSED:
            if not leads:
                raise SafetyError(f"SHOWN: {node.settings.name} was deposed and did not lead")
            self._leads.discard(node.session)
