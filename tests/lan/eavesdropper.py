"""Somebody on the LAN without the key, who hears the whole switch from the start and sends again what he has heard.

To any host, from any address, at any later time, any number of times. He makes nothing up, and loses nothing. He is greedy:

* *Answers.* For each question that passes, what was once said in answer to one with that number, to a host of that id.
* *Freshness.* A host that has just started has seen nothing: it gets what the sessions that live have said before.
* *Slow heartbeats.* Each host gets each leader's heartbeats that it has not acknowledged, later, and more slowly than
  they were sent.
* *Detours.* What is sent to his own address goes on to whom it was meant for, if it helps to prove that somebody is here.
* *All of it.* What was ever said is said to everybody, at random.
"""

import random
import socket
import struct
import threading
import time
from bisect import bisect_left
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import NamedTuple, Self

from tests.lan.capture import PACKET_OUTGOING, PORT, open_socket
from tests.lan.host import Host
from tests.lan.network import Lan
from tests.lan.overheard import ACK, ANSWERS, HEARTBEAT, ONE, PING, PROBE, PROBE_ACK, Number, Overheard, read

TACTICS = ("answer", "fresh", "heartbeat", "detour", "any")
"""In the order of above."""

_ETH_IPV4 = b"\x08\x00"
_IP = struct.Struct("!BBHHHBBH4s4s")
_UDP = struct.Struct("!HHHH")
_RECORDED_MAX = 300_000
_FITS_MAX = 8  # of each question
_WINDOW = 1024  # as many numbers of a session as a host remembers (docs/protocol.md 3.5)
_USES = 0.4
_FIRST = 50  # its first words: it may have been somebody else then
_KEPT = (ACK, PING)  # each is worth something once, when it is asked for
_FRESH_PER_S = 400
_ALL_PER_S = 100
_BEATS_EVERY_S = 0.45  # below each limit that a heartbeat renews
_LEADERS_MAX = 3  # sessions whose heartbeats he plays to a host at a time


class Place(NamedTuple):
    """Where a host is heard."""

    address: str
    mac: bytes


class Eavesdropper:
    """Use with `with`. `tactics`: those that he uses from now on; `sent` counts what he has sent, by tactic."""

    def __init__(self, lan: Lan, *, seed: int = 1) -> None:
        self.host = lan.host("eavesdropper")
        self.tactics = set(TACTICS)
        self.sent = Counter[str]()
        self.recorded: deque[Overheard] = deque(maxlen=_RECORDED_MAX)
        self._rng = random.Random(seed)
        self._port = lan.port(self.host)
        self._places: dict[int, Place] = {}
        self._sessions: dict[int, int] = {}  # node -> the one that it was heard in last
        self._first: dict[tuple[int, int], list[Overheard]] = defaultdict(list)
        self._said: dict[tuple[int, int], deque[Overheard]] = defaultdict(lambda: deque(maxlen=_WINDOW))
        self._fits: dict[tuple[int, int, int, Number], deque[Overheard]] = defaultdict(lambda: deque(maxlen=_FITS_MAX))
        self._fresh: deque[tuple[int, Overheard]] = deque()
        self._beats: dict[int, list[Overheard]] = {}  # by the leader's session
        self._next_beat: dict[tuple[int, int, int], int] = {}  # host, its session, leader's session -> number
        self._due = {self._play_fresh: 0.0, self._play_beats: 0.0, self._play_all: 0.0}
        self._ear = lan.switch.inside(open_socket)
        self._ear.settimeout(0.005)
        inside = self.host.namespace.inside
        self._frames = inside(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
        inside(lambda: self._frames.bind(("eth0", 0)))
        self._mac: bytes = self._frames.getsockname()[4]
        self._own = inside(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK))
        self._own.bind((self.host.address, PORT))
        self._ended = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended = True
        self._thread.join()
        for each in (self._ear, self._frames, self._own):
            each.close()
        assert self._error is None, self._error

    def choose_tactics(self) -> None:
        """All at once stand in each other's way: who hears a leader's heartbeats through him elects no other one."""
        self.tactics = {"answer", *(tactic for tactic in TACTICS if self._rng.random() < _USES)}

    def beats(self, host: Host) -> int:
        """How many heartbeats of its present session he has."""
        nodes = [node for node, place in self._places.items() if place.address == host.address]
        return sum(len(self._beats.get(self._sessions[node], ())) for node in nodes)

    def _run(self) -> None:
        try:
            while not self._ended:
                self._listen()
                self._forward()
                for play, due in self._due.items():
                    if time.monotonic() >= due:
                        self._due[play] = time.monotonic() + play()
        except BaseException as error:
            self._error = error

    # -- what he hears -------------------------------------------------------------------------------------------------

    def _listen(self) -> None:
        try:
            frame, (interface, _, kind, *_) = self._ear.recvfrom(65536)
        except TimeoutError:
            return
        is_word = kind != PACKET_OUTGOING and frame[12:14] == _ETH_IPV4 and frame[23] == socket.IPPROTO_UDP
        if not is_word or interface in ("br0", self._port):
            return
        start = 14 + (frame[14] & 15) * 4
        (size,) = struct.unpack_from("!H", frame, start + 4)
        heard = read(frame[start + 8 : start + size])
        if heard is not None:
            self._places[heard.source] = Place(socket.inet_ntoa(frame[26:30]), frame[6:12])
            self._hear(heard)

    def _hear(self, heard: Overheard) -> None:
        for fit in self._that_fit(heard):
            self._send(fit, heard.source, "answer")
        if self._sessions.get(heard.source) != heard.session:
            self._sessions[heard.source] = heard.session
            self._greet(heard.source)
        self._record(heard)

    def _record(self, heard: Overheard) -> None:
        self.recorded.append(heard)
        who = heard.source, heard.session
        self._said[who].append(heard)
        if len(self._first[who]) < _FIRST:
            self._first[who].append(heard)
        for answer in ANSWERS:
            if heard.type == answer.answer:
                number = heard.number(answer.answered)
                self._fits[answer.question, answer.answer, heard.destination, number].append(heard)
        if heard.type == HEARTBEAT:
            self._beats.setdefault(heard.session, []).append(heard)
        elif heard.type == ACK:
            self._note_heard(heard)

    def _note_heard(self, ack: Overheard) -> None:
        """That host has heard this heartbeat: an older one is worth nothing to it."""
        (sequence,) = ack.number(ONE)
        key = (ack.source, ack.session, self._sessions.get(ack.destination, 0))
        self._next_beat[key] = max(self._next_beat.get(key, 0), sequence + 1)

    # -- what he sends -------------------------------------------------------------------------------------------------

    def _that_fit(self, question: Overheard) -> Iterator[Overheard]:
        for answer in ANSWERS:
            if question.type == answer.question:
                key = (answer.question, answer.answer, question.source, question.number(answer.asked))
                fits = self._fits.get(key, ())
                yield from (fit for fit in fits if question.destination in (0, fit.source))

    def _greet(self, node: int) -> None:
        """It has started. What he knows of it is new to others as well, and what others said is new to it."""
        for other, session in self._sessions.items():
            if other != node:
                said = [*self._first[other, session], *self._said[other, session]]
                self._fresh.extend(
                    (node, each) for each in said if each.destination in (0, node) and each.type not in _KEPT
                )

    def _play_fresh(self) -> float:
        if self._fresh:
            node, heard = self._fresh.popleft()
            self._send(heard, node, "fresh")
        return 1 / _FRESH_PER_S

    def _play_beats(self) -> float:
        """The sessions of which he has most that the host has not heard."""
        for node, session in self._sessions.items():
            behind = [s for s in self._beats if self._beats[s][0].source != node]
            for leader in behind[-_LEADERS_MAX:]:
                self._play_beat(node, (node, session, leader))
        return _BEATS_EVERY_S

    def _play_beat(self, node: int, key: tuple[int, int, int]) -> None:
        beats = self._beats[key[2]]
        at = bisect_left(beats, self._next_beat.get(key, 0), key=lambda beat: beat.sequence)
        if at < len(beats):
            self._next_beat[key] = beats[at].sequence + 1
            self._send(beats[at], node, "heartbeat")

    def _play_all(self) -> float:
        if self.recorded and self._places:
            self._send(self._rng.choice(self.recorded), self._rng.choice(list(self._places)), "any")
        return 1 / _ALL_PER_S

    def _forward(self) -> None:
        """What came to his own address, for somebody sent something from there to it."""
        try:
            data, _ = self._own.recvfrom(2048)
        except BlockingIOError:
            return
        heard = read(data)
        if heard is None or "detour" not in self.tactics:
            return
        if heard.type in (PROBE, PROBE_ACK) and heard.destination in self._places:
            self._from_own_address(heard, self._places[heard.destination])
            self.sent["detour"] += 1

    def _send(self, heard: Overheard, node: int, why: str) -> None:
        """From its sender's address, from his own, or both."""
        target = self._places[node]
        if heard.source == node or why not in self.tactics:
            return
        self.sent[why] += 1
        ways: list[Callable[[Overheard, Place], None]] = [self._from_own_address, self._from_its_address]
        for way in ways if why == "answer" else [self._rng.choice(ways)]:
            way(heard, target)

    def _from_own_address(self, heard: Overheard, target: Place) -> None:
        self._own.sendto(heard.data, (target.address, PORT))

    def _from_its_address(self, heard: Overheard, target: Place) -> None:
        source = self._places[heard.source].address
        self._frames.send(_frame(heard.data, source, target, self._mac))


def _frame(data: bytes, source: str, target: Place, mac: bytes) -> bytes:
    """An Ethernet frame with an IPv4 packet (RFC 791) and a UDP datagram without checksum (RFC 768) in it."""
    size = _UDP.size + len(data)
    ends = socket.inet_aton(source), socket.inet_aton(target.address)
    fields = (0x45, 0, _IP.size + size, 0, 0x4000, 64, 17)
    checksum = _checksum(_IP.pack(*fields, 0, *ends))
    return target.mac + mac + _ETH_IPV4 + _IP.pack(*fields, checksum, *ends) + _UDP.pack(PORT, PORT, size, 0) + data


def _checksum(header: bytes) -> int:
    total: int = sum(struct.unpack(f"!{len(header) // 2}H", header))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
