"""What the core says when its driver asks: of a datagram at first sight, and of whom it knows. (Of itself: status.py.)"""

from enum import Enum

from kingd.core.effect import Peer
from kingd.core.state.members import State
from kingd.core.wire.message import Role
from kingd.records import dataclass


class Glance(Enum):
    """What a datagram's header promises, before anybody has vouched for it."""

    MEMBER = "of a member's session, and new"
    STRANGER = "of nobody that is known"
    COPY = "a copy that the network made"
    USELESS = "of no use whoever sent it"


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberRow:
    """One that this node knows, verified or only heard of; or this node itself, whose peer has no endpoint."""

    peer: Peer
    role: Role  # LEADER only where this node believes it, or hears it claim so for too long
    state: State
    eligible: bool
    ineligible_reason: str | None  # in a word; None: eligible, or it did not say
    silent_us: int  # since when nothing was heard of it
    version: str
