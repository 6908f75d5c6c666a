"""Somebody on the LAN who has read docs/protocol.md, and speaks by an encoder of his own (tests/wire.py): his host runs
no daemon, sends what he likes in the name of whom he likes, and hears what passes.
"""

import contextlib
import itertools
import json
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from tests import wire
from tests.lan.capture import PORT, Capture
from tests.lan.host import Host
from tests.lan.network import GROUP, Lan

GROUP_MAC = "01:00:5e:7f:36:42"  # of 239.255.54.66 (RFC 1112 6.4)
PROBE, PROBE_ACK = 3, 4


class Identity:
    """One node that he pretends to be: a new one, or one that he has heard of."""

    def __init__(self, node: int, session: int, *, sequence: int = 1, **header: int) -> None:
        self.node = node
        self.name = "mole"
        self.session = session
        self._sequences = itertools.count(sequence)
        self.header = header

    def says(self, body: object, **header: int) -> Any:
        fixed = {"source": self.node, "session": self.session, "sequence": next(self._sequences)}
        return wire.Kingd(**{**fixed, **self.header, **header}) / body


class Adversary:
    """Use with `with`. `secret`: the key that he signs with, if he has found or made up one."""

    def __init__(self, lan: Lan, *, secret: bytes | None = None) -> None:
        self.host = lan.host("adversary")
        self.secret = secret
        self.rng = random.Random(5)
        self.got = Counter[str]()  # bytes that his address was sent, by who sent them
        self._lan = lan
        self._lives: dict[int, Identity] = {}  # those whose probes he answers
        self._frames = self.host.namespace.inside(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
        self.host.namespace.inside(lambda: self._frames.bind(("eth0", 0)))
        self._socket = self.host.namespace.inside(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(self.host.address))
        self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 0)
        self._socket.settimeout(0.05)
        self._socket.bind((self.host.address, PORT))
        self._ended = False
        self._thread = threading.Thread(target=self._listen)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended = True
        self._thread.join()
        self._socket.close()
        self._frames.close()

    # -- who he says he is ---------------------------------------------------------------------------------------------

    def invent(self, *, name: str = "mole", **header: int) -> Identity:
        me = Identity(self.rng.getrandbits(63) + 1, self.rng.getrandbits(63) + 1, **header)
        me.name = name
        return me

    def overhear(self, host: Host, *, for_s: float = 0.5) -> Identity:
        """That host as it is: its id, its session, and a sequence number that it has not come to yet."""
        with Capture(self._lan.switch) as capture:
            time.sleep(for_s)
        heard = wire.Kingd(capture.payloads(source=host)[-1])
        return Identity(
            heard.source,
            heard.session,
            sequence=heard.sequence + 500,
            leader_term=heard.leader_term,
            leader_node=heard.leader_node,
            floor_term=heard.floor_term,
            floor_node=heard.floor_node,
            role=heard.role,
            priority=heard.priority,
        )

    def live_as(self, identity: Identity) -> None:
        """Answer the probes of this one from now on, so that it is believed to be there."""
        self._lives[identity.node] = identity

    # -- what he sends ---------------------------------------------------------------------------------------------------

    def bytes_of(self, packet: Any) -> bytes:
        return wire.finish(packet, secret=self.secret)

    def send(self, data: bytes, to: Host | str) -> None:
        """From his own address."""
        self._socket.sendto(data, (to if isinstance(to, str) else to.address, PORT))

    def send_as(self, victim: Host, data: bytes, to: Host | str) -> None:
        """From the victim's address."""
        self._frame(IP(src=victim.address, dst=_ip(to), ttl=1) / UDP(sport=PORT, dport=PORT) / Raw(data), to)

    def unreachable(self, victim: Host, to: Host) -> None:
        """ICMP: nobody listens at the victim's port, as if it answered what `to` has sent there."""
        sent = IP(src=to.address, dst=victim.address) / UDP(sport=PORT, dport=PORT) / Raw(b"Kg\x10\x09")
        self._frame(IP(src=victim.address, dst=to.address) / ICMP(type=3, code=3) / sent, to)

    def _frame(self, packet: Any, to: Host | str) -> None:
        target = GROUP_MAC if isinstance(to, str) else _mac(to)
        self._frames.send(bytes(Ether(dst=target, src=_mac(self.host)) / packet))

    # -- what he hears ---------------------------------------------------------------------------------------------------

    def _listen(self) -> None:
        while not self._ended:
            with contextlib.suppress(TimeoutError):
                data, (source, _) = self._socket.recvfrom(2048)
                self.got[source] += len(data)
                self._answer(data, source)

    def _answer(self, data: bytes, source: str) -> None:
        if data[3] != PROBE:
            return
        heard = wire.Kingd(data)
        me = self._lives.get(heard.destination)
        if me is not None:
            ack = wire.ProbeAck(echo=heard.payload.nonce, host=me.name.encode(), software=b"6.6.6")
            self.send(self.bytes_of(me.says(ack, destination=heard.source, receiver=heard.session)), source)


_MACS: dict[str, str] = {}


def _mac(host: Host) -> str:
    if host.namespace.path not in _MACS:
        (link,) = json.loads(host.namespace.run("ip", "-json", "link", "show", "eth0"))
        _MACS[host.namespace.path] = link["address"]
    return _MACS[host.namespace.path]


def _ip(to: Host | str) -> str:
    return to if isinstance(to, str) else to.address


def impostors(count: int, body: object, *, seed: int) -> Iterator[bytes]:
    """So many nodes that nobody has ever heard of. One is encoded, the others are patched: 100,000 take seconds."""
    rng = random.Random(seed)
    template = bytearray(wire.finish(wire.Kingd(flags=1, source=1, session=1, role=1) / body))
    for _ in range(count):
        template[16:24] = rng.randbytes(8)
        template[32:40] = rng.randbytes(8)
        yield bytes(template[:-16]) + wire.mac(bytes(template[:-16]), bytes(32))


__all__ = ["GROUP", "Adversary", "Identity", "impostors"]
