"""Who was heard of, and not verified: in a large cluster most members, for most nodes. docs/large-clusters.md.

In a small cluster everybody verifies everybody. In a large one that would be N^2 round trips, at its start and after
whatever hits all of it. There a round trip is needed with the leader, with those who come next after it, by these
with everybody, and by who claims (`must_verify`). Of the others an announcement is believed as far as that can do no
harm: they are listed, surveyed, and let go first when there is no leader. In: announcements and rosters. Out: the list."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from heapq import nsmallest

from kingd.core.state.members import ANNOUNCE_US, FORGET_AFTER_US, MEMBERS_MAX, MISSED_MAX
from kingd.core.wire.endpoint import Endpoint
from kingd.core.wire.message import Announce, Header, NodeId, RosterEntry, SessionId


@dataclass(slots=True, kw_only=True)
class Listed:
    """What an announcement, or a roster's entry, says of a node."""

    node: NodeId
    session: SessionId
    endpoint: Endpoint
    name: str
    version: str
    heard_us: int
    priority: int = 0
    eligible: bool = False
    interval_us: int = ANNOUNCE_US
    asked_us: int = -1  # when it was last probed, in vain so far

    @property
    def rank(self) -> tuple[int, int]:
        return (-self.priority, self.node)

    def is_alive(self, now_us: int) -> bool:
        return now_us - self.heard_us <= MISSED_MAX * self.interval_us


class Hearsay:
    """By node. Full, it forgets who has been silent longest."""

    def __init__(self, listed: Iterable[Listed] = ()) -> None:
        """`listed`: the longest silent first."""
        self._by_node = {each.node: each for each in listed}  # in that order
        self.heard_us = -1  # when anybody of it was last heard

    def __len__(self) -> int:
        return len(self._by_node)

    def __iter__(self) -> Iterator[Listed]:
        return iter(self._by_node.values())

    def alive(self, now_us: int) -> list[Listed]:
        return [listed for listed in self if listed.is_alive(now_us)]

    def get(self, node: NodeId) -> Listed | None:
        return self._by_node.get(node)

    def note(self, header: Header, body: Announce, source: Endpoint, *, interval_us: int, now_us: int) -> None:
        self.heard_us = now_us
        former = self._by_node.pop(header.source, None)
        self._put(
            Listed(
                node=header.source,
                session=header.session,
                endpoint=source if former is None or not former.endpoint.is_better_than(source) else former.endpoint,
                name=body.name,
                version=body.version,
                heard_us=now_us,
                priority=header.priority,
                eligible=header.eligible,
                interval_us=interval_us,
                asked_us=former.asked_us if former and former.session == header.session else -1,
            )
        )

    def note_entry(self, entry: RosterEntry, interface: str, *, interval_us: int, now_us: int) -> None:
        """Of a roster: it was alive for the leader a short while ago. What it is called, it says itself."""
        if entry.node not in self._by_node:
            self._put(
                Listed(
                    node=entry.node,
                    session=entry.session,
                    endpoint=Endpoint(entry.host, entry.port, interface),
                    name=f"{entry.node:016x}",
                    version="",
                    heard_us=now_us,
                    interval_us=interval_us,
                )
            )

    def _put(self, listed: Listed) -> None:
        while len(self._by_node) >= MEMBERS_MAX:
            del self._by_node[next(iter(self._by_node))]
        self._by_node[listed.node] = listed

    def drop(self, node: NodeId, session: SessionId | None = None) -> None:
        """It is a member now, or has left (if it is still the same session)."""
        listed = self._by_node.get(node)
        if listed is not None and session in (None, listed.session):
            del self._by_node[node]

    def forget(self, now_us: int) -> None:
        """Those silent for long. (2,000 announce themselves every 67 minutes: that is no silence.)"""
        silent = [
            listed for listed in self if now_us - listed.heard_us > FORGET_AFTER_US and not listed.is_alive(now_us)
        ]
        for listed in silent:
            del self._by_node[listed.node]

    def excuse(self, late_us: int) -> None:
        for listed in self:
            listed.heard_us += late_us


def third(ranks: Iterator[tuple[int, int]]) -> tuple[int, int] | None:
    """The third best; None if they are fewer."""
    best = nsmallest(3, ranks)
    return best[2] if len(best) == 3 else None
