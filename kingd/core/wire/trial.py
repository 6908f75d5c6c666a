"""What `kingctl doctor` has daemons say to each other: numbered datagrams by one path each, and what came of them.
docs/doctor.md.

They are no words of the election: they have numbers of their own, and no rule of it reads them. (Ids are plain numbers here,
for `message` imports this.)"""

from enum import IntEnum

from kingd.records import dataclass


class Way(IntEnum):
    """How a datagram goes from one host to another: the wire value, and the public word."""

    NONE = 0  # by none: no answer is wanted
    MC4 = 1  # by multicast, IPv4
    MC6 = 2
    BC4 = 3  # by broadcast
    UC4 = 4  # by unicast
    UC6 = 5
    LARGE4 = 6  # by unicast, as large as a datagram of kingd may be
    LARGE6 = 7

    @property
    def word(self) -> str:
        return self.name.lower()

    @property
    def family(self) -> int:
        return 6 if self in (Way.MC6, Way.UC6, Way.LARGE6) else 4

    @property
    def is_group(self) -> bool:
        return self in (Way.MC4, Way.MC6, Way.BC4)

    @property
    def is_large(self) -> bool:
        return self in (Way.LARGE4, Way.LARGE6)


WAYS = tuple(way for way in Way if way)


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """By one path."""

    way: Way
    got: int  # u32, trials of this run that came
    sent: int  # u32, answers to them that went out


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """This came by `by`. To one node: answer it once by `back`, and say what you know of `about`. To all: just count it."""

    run: int  # u64, random: which examination
    token: int  # u64, that node's own; 0 = not known yet
    number: int  # u32, from 1
    lane: int  # u8, the asker's network: counts are kept for each
    by: Way
    back: Way
    about: int = 0  # node id; 0 = nobody


@dataclass(frozen=True, slots=True, kw_only=True)
class Echo:
    """The answer to one trial, and what has come of its run on this lane so far. Never larger than the trial."""

    run: int
    token: int
    number: int
    lane: int
    by: Way  # how this goes
    lag_ms: int  # u32, how late the daemon was at worst in about the last minute
    about: int
    state: int = 0  # of that node, as this one sees it: 0 not known, 1 alive, 2 dead, 3 left
    ways: int = 0  # bit n: it speaks to all of that network by Way(n), and listens to it
    heard_ms: int = 0  # u32, since it was heard; UNHEARD = never
    multicast_ms: int = 0  # u32, since its multicast was heard
    contact_ms: int = 0  # u32, since it was proven to hear this one
    port: int = 0  # of this node's address in the other family, on the network by which the trial came
    host: str = ""  # "" = it has none
    counts: tuple[Count, ...] = ()


UNHEARD = (1 << 32) - 1
STATES = ("unknown", "alive", "dead", "left")
