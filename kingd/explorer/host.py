"""One host as a value: what it is, what it says, and what the whole needs to know of it."""

from typing import NamedTuple

from kingd.core.effect import Persist
from kingd.core.election import Core
from kingd.core.settings import Settings, digest_of
from kingd.core.timing import NEVER
from kingd.core.wire.endpoint import Endpoint
from kingd.core.wire.message import Announce, Ballot, Datagram, NodeId, Probe, ProbeAck, Role, SessionId, Term
from kingd.core.wire.voter_list import VoterList
from kingd.explorer.frozen import Frozen
from kingd.explorer.scope import TICK_US
from kingd.explorer.watch import Watch

ORIGIN_US = 1000 * TICK_US  # where all clocks begin
# The round trips by which hosts get to know each other: they happen at one moment, unless the scope says that these travel.
MEETING = (Announce, Probe, ProbeAck)


class Host(NamedTuple):
    """All of one host that can make a difference."""

    place: int  # in the scope's hosts
    settings: Settings
    starts: int
    forgotten: int  # how often it lost its disk
    disk: Persist
    writing: tuple[Persist, ...]
    watch: Watch
    exported_us: int  # a lease of an earlier session on which somebody still acts
    core: Frozen  # None: does not run
    began_us: int = ORIGIN_US  # its process, by its clock
    copied: int | None = None  # the place of the host whose state folder it has

    @property
    def node_id(self) -> NodeId:
        place = self.place if self.copied is None else self.copied
        return NodeId(place + 1 + 16 * self.forgotten)

    @property
    def session(self) -> SessionId:
        return SessionId(256 * (self.place + 1) + self.starts)


class Message(NamedTuple):
    """A datagram on its way to one host."""

    target: int
    datagram: Datagram
    lost_us: int  # when it has been on its way for too long


class Step(NamedTuple):
    """What comes of one input to one host."""

    after: int
    sends: tuple[int, ...]
    wrong: str | None
    leads: tuple[Ballot, SessionId] | None  # a leadership that began with it


class View(NamedTuple):
    """What the whole needs to know of a host's state."""

    role: Role | None  # None: does not run
    deadline_us: int
    instants_us: tuple[int, ...]  # of its clock: when something falls due
    writes: bool
    term: Term  # highest that it has promised or claimed
    exported_us: int
    attempt: int | None  # of its claim that is out
    recovering: bool  # a voter that has not learned yet what it may promise
    newest: dict[SessionId, int]  # session -> newest sequence number that was heard of it
    duplicate: bool  # another one has its node id, and keeps it
    waits: bool  # another list than the one in force is wanted
    says: "Says | None"
    heard: "dict[SessionId, Says]"  # of each other session, as far as it has heard


class Says(NamedTuple):
    """What a host says of its lists."""

    voters: VoterList
    wanted: int
    recovering: bool


def place_of(session: SessionId) -> int:
    """The host whose session this is."""
    return session // 256 - 1


def endpoint(index: int) -> Endpoint:
    """Where this host is."""
    return Endpoint(f"10.0.0.{index}", 5466, "sim0")


def word(datagram: Datagram) -> str:
    """What traces and tests call it."""
    body = datagram.body
    return f"{'pre-vote ' if getattr(body, 'pre_vote', False) else ''}{type(body).__name__.lower()}"


def view_of(host: Host, core: Core | None) -> View:
    if core is None:
        return View(
            None,
            NEVER,
            (),
            writes=False,
            term=Term(0),
            exported_us=host.exported_us,
            attempt=None,
            recovering=False,
            newest={},
            duplicate=False,
            waits=False,
            says=None,
            heard={},
        )
    node = core.node
    instants = {us for us in (core.deadline_us, node.promise.until_us) if us < NEVER}
    claims = node.campaign.claim.term if node.campaign is not None and not node.campaign.claim.pre_vote else Term(0)
    term = max(node.promise.floor.term, claims)
    return View(
        node.role,
        core.deadline_us,
        tuple(sorted(instants)),
        writes=bool(host.writing),
        term=term,
        exported_us=host.exported_us,
        attempt=node.campaign.claim.attempt if node.campaign is not None else None,
        recovering=node.is_recovering,
        newest={m.session: m.window.newest for m in node.members.verified()},
        duplicate=node.namesake.is_there,
        waits=node.voters.names != node.settings.voters,
        says=Says(node.voters.id, digest_of(node.settings.voters), node.is_recovering),
        heard={m.session: Says(m.voters, m.wanted, m.recovering) for m in node.members.alive()},
    )
