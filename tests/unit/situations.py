"""Facts for the doctor's judges, as if read from a LAN of three hosts on which nothing is wrong unless a test says so."""

from collections.abc import Mapping
from dataclasses import replace

from kingd.doctor.facts import BACK, THERE, Cell, Facts, Interface, Local, Neighbour, Peer, View

WAYS = ("mc4", "mc6", "bc4", "uc4", "uc6", "large4", "large6")
NET = "eth0"
GATEWAY = "10.0.0.254"


def cells(
    lost: Mapping[str, int | tuple[int, int]] | None = None, *, sent: int = 20
) -> dict[tuple[str, str, str], Cell]:
    """`lost`: "mc4 there": 0 arrived of `sent`, or (got, sent)."""
    found = {(NET, way, direction): Cell(sent=sent, got=sent) for way in WAYS for direction in (THERE, BACK)}
    for where, value in (lost or {}).items():
        way, _, direction = where.partition(" ")
        got, of = value if isinstance(value, tuple) else (value, sent)
        for each in (THERE, BACK) if direction == "both" else (direction,):
            found[NET, way, each] = Cell(sent=of, got=got, missed=of if not got else 0)
    return found


def peer(name: str, number: int, **how: object) -> Peer:
    known: dict[str, object] = {
        "id": f"{number:016x}",
        "name": name,
        "address": f"10.0.0.{number}:5466",
        "version": "1",
        "heard_ms": 100,
        "multicast_ms": 100,
        "contact_ms": 100,
        "cells": cells(),
    }
    return Peer(**(known | how))  # type: ignore[arg-type]


def silent(name: str, number: int, **how: object) -> Peer:
    """It answered nothing, and nothing was heard of it for a minute."""
    known: dict[str, object] = {
        "answered": False,
        "cells": {},
        "heard_ms": 60_000,
        "contact_ms": 60_000,
        "state": "dead",
    }
    return peer(name, number, **(known | how))


def view(*, contact_ms: int | None = 100, state: str = "alive") -> View:
    return View(state=state, contact_ms=contact_ms, multicast_ms=100)


LOCAL = Local(
    interfaces=(Interface(name=NET, addresses=("10.0.0.1",)),),
    neighbours={
        GATEWAY: Neighbour(mac="02:00:00:00:00:fe", is_complete=True, interface=NET),
        "10.0.0.2": Neighbour(mac="02:00:00:00:00:02", is_complete=True, interface=NET),
        "10.0.0.3": Neighbour(mac="02:00:00:00:00:03", is_complete=True, interface=NET),
    },
    routes={"10.0.0.2": NET, "10.0.0.3": NET},
    gateway=GATEWAY,
)


def facts(*peers: Peer, local: Local = LOCAL, **how: object) -> Facts:
    """box1 asks; box2 leads."""
    all_peers = peers or (peer("box2", 2), peer("box3", 3))
    known: dict[str, object] = {
        "name": "box1",
        "id": "1".rjust(16, "0"),
        "version": "1",
        "address": "10.0.0.1:5466",
        "leader": "box2",
        "leader_address": "10.0.0.2:5466",
        "views": {"box1": "box2", **{each.name: "box2" for each in all_peers if each.answered}},
        "peers": all_peers,
        "networks": (NET,),
        "took_ms": 1700,
        "local": local,
    }
    return Facts(**(known | how))  # type: ignore[arg-type]


def here(**how: object) -> Local:
    return replace(LOCAL, **how)  # type: ignore[arg-type]
