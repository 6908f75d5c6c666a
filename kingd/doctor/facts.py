"""All that the judges may know: what the daemon answered, and what kingctl read of this host. Data, and how it is read."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from kingd.control.answer import flag, number, number_or_none, rows, section, section_or_none, text, texts

JsonObject = dict[str, object]

THERE, BACK = "there", "back"
WAYS = {4: ("uc4", "mc4", "bc4", "large4"), 6: ("uc6", "mc6", None, "large6")}  # unicast, multicast, broadcast, large
ENOUGH = 3  # fewer trials prove nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One path in one direction. `missed`: since the last that arrived."""

    sent: int = 0
    got: int = 0
    missed: int = 0
    last_ms: int | None = None
    worked_ms: int | None = None

    @property
    def works(self) -> bool:
        return self.got > 0

    @property
    def is_dead(self) -> bool:
        return self.got == 0 and self.sent >= ENOUGH

    def __str__(self) -> str:
        return f"{self.got} of {self.sent}"


NOTHING = Cell()


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    state: str
    contact_ms: int | None
    multicast_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    id: str
    name: str
    address: str
    version: str = ""
    state: str = "alive"
    answered: bool = True
    restarted: bool = False
    refused: int = 0
    lag_ms: int = 0
    heard_ms: int = 0
    multicast_ms: int | None = None
    contact_ms: int | None = None
    voters: str = "00000000"
    wanted: str = "00000000"
    signed: bool = True
    cells: Mapping[tuple[str, str, str], Cell] = field(default_factory=dict)  # interface, path, direction
    views: Mapping[str, View] = field(default_factory=dict)  # by id

    @property
    def host(self) -> str:
        return host_of(self.address)

    @property
    def port(self) -> int:
        """It sends from there, too: this tells apart the daemons of one host."""
        return int(self.address.rpartition(":")[2])

    @property
    def interfaces(self) -> list[str]:
        return sorted({interface for interface, _, _ in self.cells})

    def cell(self, interface: str, path: str | None, direction: str) -> Cell:
        return self.cells.get((interface, path or "", direction), NOTHING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What the daemon itself finds wrong: `kind` for programs, `text` for people."""

    kind: str
    text: str
    interface: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stranger:
    address: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockStep:
    kind: str
    by_ms: int
    ago_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """What this host's ARP table says of an address."""

    mac: str
    is_complete: bool
    interface: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    name: str
    is_up: bool = True
    has_carrier: bool = True
    mtu: int = 1500
    rp_filter: int = 0  # the strictest that is in force; 1 is strict
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What came in on the wire, before any firewall: answers (host, port, path), and ICMP errors by the host that sent them."""

    answers: Mapping[tuple[str, int, str], int] = field(default_factory=dict)
    prohibited: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Local:
    """Of this host, without a question to anybody."""

    firewall: str = "nft"  # which program manages it: ufw, firewalld, or nft for none that is known
    interfaces: tuple[Interface, ...] = ()
    neighbours: Mapping[str, Neighbour] = field(default_factory=dict)
    routes: Mapping[str, str] = field(default_factory=dict)  # a peer's address -> the interface to it
    gateway: str | None = None
    rp_drops: int = 0  # datagrams that came while it was examined and were dropped for their source address
    port_owner: str | None = None  # who has the port that this daemon should have, None: nobody is known to
    seen: Seen | None = None  # None: it may not look
    floating: tuple[str, ...] = ()  # addresses of kingd-vip's configuration


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    name: str
    id: str = ""
    address: str | None = None
    version: str = ""
    port: int = 5466
    heartbeat_ms: int = 100
    leader: str | None = None
    leader_address: str | None = None
    reason: str = ""
    mode: str = "availability"
    voters: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    quorum_ok: bool = True
    has_key: bool = True
    strangers: tuple[Stranger, ...] = ()
    rejected_lately: Mapping[str, int] = field(default_factory=dict)
    views: Mapping[str, str | None] = field(default_factory=dict)  # who answered the survey -> whom it calls leader
    agree: bool = True
    troubles: tuple[Trouble, ...] = ()
    lag_ms: int = 0
    clock_steps: tuple[ClockStep, ...] = ()
    digest: str = "00000000"
    peers: tuple[Peer, ...] = ()
    more_peers: int = 0
    networks: tuple[str, ...] = ()
    took_ms: int = 0
    local: Local = Local()


def host_of(address: str) -> str:
    """`10.0.0.1:5466` -> 10.0.0.1; `[fe80::1%eth0]:5466` -> fe80::1"""
    return address.rpartition(":")[0].strip("[]").partition("%")[0]


def read(status: JsonObject, survey: JsonObject, examined: JsonObject, local: Local) -> Facts:
    """BadAnswer."""
    node, quorum, leader = section(status, "node"), section(status, "quorum"), section_or_none(status, "leader")
    known = rows(examined, "problems")
    texts_known = {text(each, "text") for each in known}
    troubles = [_trouble(each) for each in known]
    # What only the status tells has no kind: the sentence is all there is.
    troubles += [Trouble(kind="other", text=each) for each in texts(status, "problems") if each not in texts_known]
    return Facts(
        name=text(node, "name"),
        id=text(node, "id"),
        address=None if node.get("address") is None else text(node, "address"),
        version=text(node, "version"),
        port=number(examined, "port"),
        heartbeat_ms=number(examined, "heartbeat_ms"),
        leader=None if leader is None else text(leader, "name"),
        leader_address=None if leader is None or leader.get("address") is None else text(leader, "address"),
        reason=str(status.get("reason") or ""),
        mode=text(status, "mode"),
        voters=tuple(texts(quorum, "voters")),
        missing=tuple(texts(quorum, "missing")),
        quorum_ok=flag(quorum, "ok"),
        has_key=text(section(status, "security"), "mode") != "off",
        strangers=tuple(
            Stranger(address=text(each, "address"), why=text(each, "why")) for each in rows(status, "strangers")
        ),
        rejected_lately={
            key: number(section(status, "rejected_lately"), key) for key in section(status, "rejected_lately")
        },
        views={
            text(each, "name"): None if each.get("leader") is None else text(each, "leader")
            for each in rows(survey, "nodes")
            if flag(each, "ok")
        },
        agree=flag(survey, "agree"),
        troubles=tuple(troubles),
        lag_ms=number(examined, "loop_lag_us") // 1000,
        clock_steps=tuple(
            ClockStep(kind=text(each, "kind"), by_ms=number(each, "by_ms"), ago_ms=number(each, "ago_ms"))
            for each in rows(examined, "clock_steps")
        ),
        digest=text(examined, "voters"),
        peers=tuple(_peer(each) for each in rows(examined, "peers")),
        more_peers=number(examined, "more_peers"),
        networks=tuple(text(each, "interface") for each in rows(examined, "networks")),
        took_ms=number(examined, "elapsed_ms"),
        local=local,
    )


def _trouble(each: JsonObject) -> Trouble:
    return Trouble(
        kind=text(each, "kind"),
        text=text(each, "text"),
        interface=text(each, "interface"),
        address=text(each, "address"),
    )


def _peer(each: JsonObject) -> Peer:
    return Peer(
        id=text(each, "id"),
        name=text(each, "name"),
        address=text(each, "address"),
        version=text(each, "version"),
        state=text(each, "state"),
        answered=flag(each, "answered"),
        restarted=flag(each, "restarted"),
        refused=number(each, "refused"),
        lag_ms=number(each, "lag_ms"),
        heard_ms=number(each, "heard_ms"),
        multicast_ms=_ms(each, "multicast_ms"),
        contact_ms=_ms(each, "contact_ms"),
        voters=text(each, "voters"),
        wanted=text(each, "wanted"),
        signed=flag(each, "signed"),
        cells={
            (text(p, "interface"), text(p, "path"), text(p, "direction")): Cell(
                sent=number(p, "sent"),
                got=number(p, "got"),
                missed=number(p, "missed"),
                last_ms=_ms(p, "last_ms"),
                worked_ms=_ms(p, "worked_ms"),
            )
            for p in rows(each, "paths")
        },
        views={
            text(v, "of"): View(
                state=text(v, "state"), contact_ms=_ms(v, "contact_ms"), multicast_ms=_ms(v, "multicast_ms")
            )
            for v in rows(each, "views")
        },
    )


def _ms(answer: JsonObject, key: str) -> int | None:
    value = number_or_none(answer, key)
    return None if value is None else int(value)
