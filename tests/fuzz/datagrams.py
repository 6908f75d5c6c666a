"""Damaged and hostile datagrams: through the codec, and through a whole core."""

import random
from dataclasses import replace
from typing import ClassVar

from kingd.core.effect import Send
from kingd.core.wire.codec import DATAGRAM_SIZE_MAX, decode, encode
from kingd.core.wire.endpoint import Endpoint
from kingd.core.wire.message import Datagram, Heartbeat, Probe, ProbeAck
from kingd.core.wire.reader import DecodeError
from kingd.core.wire.repeats import Repeats
from kingd.core.wire.seal import MAC_SIZE, Mac, Seal
from kingd.sim.checker import Checker
from tests.fuzz.mutations import mutate
from tests.fuzz.target import Target
from tests.unit.scripted import CLUSTER as BENCH_CLUSTER
from tests.unit.scripted import MY_SESSION, Bench, Peer
from tests.unit.test_codec import BODIES, CLUSTER, HEADER

REASONS = {
    word: word
    for word in [
        *("oversized", "truncated", "magic", "version", "length", "other-cluster"),
        *("damaged", "unsigned", "bad-key", "type", "header", "text", "count", "reason", "lease", "way"),
    ]
}  # all that docs/protocol.md knows
KEY = bytes(range(32))
OPEN, PERMISSIVE, ENFORCE = Seal(), Seal([KEY], requires_key=False), Seal([KEY], requires_key=True)
_ZERO = Mac(bytes(32))
_LENGTH = slice(6, 8)
_HEADER_SIZE, _KEY_AT, _ROLE_AT = 108, 105, 104


def sealed(data: bytes, *, secret: bytes | None = None) -> bytes:
    """`data` without its trailer, whatever it says, with the right length, and a trailer that is right for it."""
    changed = bytearray(data)
    if len(changed) > _KEY_AT:
        changed[_LENGTH] = (len(data) + (MAC_SIZE if secret is None else 2 * MAC_SIZE)).to_bytes(4, "big")[2:]
        changed[_KEY_AT] = 0 if secret is None else ENFORCE.key_id
    if secret is not None:
        changed += Mac(secret).of(bytes(changed))
    return bytes(changed) + _ZERO.of(bytes(changed))


class Codec(Target):
    """Whatever the bytes: a message, or one of the refusals that docs/protocol.md 3.1 names. What is read can be written
    and read again. Nobody without the key gets anything past `enforce`, and no damage gets past a checksum."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__(rng)
        unsigned = [encode(Datagram(HEADER, body), OPEN) for body in BODIES]
        signed = [encode(Datagram(HEADER, body), ENFORCE) for body in BODIES]
        self._valid = unsigned + signed
        self._bare = [data[:-MAC_SIZE] for data in unsigned]
        self._whole = frozenset(self._valid)
        self._repeats = Repeats()
        beat = self._valid[[type(body) for body in BODIES].index(Heartbeat)]
        self._repeats.remember(beat, decode(beat, cluster=CLUSTER, seal=OPEN))
        self._beat = beat[:-MAC_SIZE]

    def step(self) -> str:
        rng, draw = self.rng, self.rng.random()
        if draw < 0.3:  # as a line that is broken, or somebody without a clue, would change it
            self.data, trusted = mutate(rng.choice(self._valid), rng, self._valid), False
        elif draw < 0.4:  # junk
            self.data, trusted = rng.randbytes(int(rng.random() * 1400)), False
        elif draw < 0.8:  # by somebody who can compute a checksum
            data = rng.choice(self._bare)
            if rng.random() < 0.05:
                data = self._beat[:48] + rng.randbytes(8) + self._beat[56:]
            self.data, trusted = sealed(mutate(data, rng, self._bare) if rng.random() < 0.9 else data), False
        else:  # by somebody who has the key
            self.data, trusted = sealed(mutate(rng.choice(self._bare), rng, self._bare), secret=KEY), True
        seal = rng.choice((OPEN, PERMISSIVE, ENFORCE))
        repeated = self._repeats.find(self.data, seal)
        try:
            datagram = decode(self.data, cluster=CLUSTER, seal=seal)
        except DecodeError as error:
            assert repeated is None or repeated[1] == 0, "the short way is laxer"
            return REASONS[error.reason]
        if repeated is not None:
            header = replace(repeated[0].header, sequence=repeated[1])
            assert datagram == replace(repeated[0], header=header), "the short way tells another story"
        assert len(self.data) <= DATAGRAM_SIZE_MAX
        assert draw >= 0.4 or self.data in self._whole, "damage that the checksum did not notice"
        assert seal is not ENFORCE or trusted or self.data in self._whole, "a forgery"
        again = replace(datagram, header=replace(datagram.header, key_id=seal.key_id))
        assert decode(encode(datagram, seal), cluster=CLUSTER, seal=seal) == again
        return "read"


class Election(Target):
    """A member, or a stranger, says what the format allows and no honest node would say: the core neither fails nor grows,
    and a stranger's address never gets more than it sent."""

    steps: ClassVar = 400
    _ROLES: ClassVar = ("joining", "follower", "candidate", "leader")

    def __init__(self, rng: random.Random) -> None:
        super().__init__(rng)
        self._bodies = [encode(Datagram(HEADER, body), OPEN)[:-MAC_SIZE] for body in BODIES]
        voters = rng.choice(((), ("box60", "box61", "me")))
        self._bench = Bench(priority=rng.choice((0, 50, 100, 200)), voters=voters, ceiling=rng.choice((0, 3)))
        self._list = self._bench.node.voters.id
        self._peers = [Peer(node=60 + n, priority=rng.choice((0, 10, 100, 300)), voters=self._list) for n in range(3)]
        self._repeats = Repeats()
        self._strangers = [Peer(node=200 + n) for n in range(3)]
        self._sequences = dict.fromkeys(range(300), 1000)
        self._owed = {peer.endpoint: 0 for peer in self._strangers}
        self._checker = Checker()
        self._begin(rng.choice(self._ROLES))

    def _begin(self, role: str) -> None:
        bench = self._bench
        if role == "follower":
            bench.meet(self._peers[0].leads(5), *self._peers[1:])
        elif self._list.digest or not bench.node.priority:
            bench.meet(*self._peers)
            bench.advance_ms(self.rng.choice((0, 2000)))
        elif role == "leader":
            bench.become_leader(*self._peers)
        elif role == "candidate":
            bench.become_candidate(*self._peers)
        bench.clear()

    def step(self) -> str:
        rng, bench = self.rng, self._bench
        speaker = rng.choice((*self._peers, *self._peers, *self._strangers))
        self.data = self._says(speaker)
        outcome = self._deliver(speaker)
        if rng.random() < 0.3:
            bench.advance(int(rng.random() ** 4 * 2_000_000))
        self._settle()
        return outcome

    def _says(self, speaker: Peer) -> bytes:
        rng = self.rng
        if rng.random() < 0.1 and self.data:  # the same once more, later
            data = bytearray(self.data[:-MAC_SIZE])
            if len(data) >= _HEADER_SIZE:
                data[48:56] = (int.from_bytes(data[48:56], "big") + 1).to_bytes(9, "big")[1:]
            return sealed(bytes(data))
        data = bytearray(mutate(rng.choice(self._bodies), rng, self._bodies))
        if len(data) < _HEADER_SIZE:
            return bytes(data)
        for at in range(_HEADER_SIZE, min(len(data) - 8, _HEADER_SIZE + 56), 4):
            if rng.random() < 0.2:
                data[at : at + 8] = rng.choice(self._telling()).to_bytes(8, "big")
        self._sequences[speaker.node] += 1
        session = speaker.session + (rng.random() < 0.02)
        destination = rng.choice((0, self._bench.node.id, self._bench.node.id))
        receiver = rng.choice((0, MY_SESSION, MY_SESSION)) if destination else 0
        fields = (BENCH_CLUSTER, speaker.node, destination, session, receiver, self._sequences[speaker.node])
        for number, value in enumerate(fields):
            data[8 + 8 * number : 16 + 8 * number] = value.to_bytes(8, "big")
        for at in (56, 64, 72, 80):  # whom it follows, what it has promised
            data[at : at + 8] = rng.choice(self._telling()).to_bytes(8, "big")
        data[4:6] = rng.choice((b"\0\0", b"\0\1"))
        digest = self._list.digest
        data[92:96] = rng.choice((0, digest, digest)).to_bytes(4, "big")
        data[_ROLE_AT] = rng.choice((0, 1, 2, 3, 4))
        return sealed(bytes(data))

    def _telling(self) -> list[int]:
        """Numbers that mean something here."""
        node = self._bench.node
        peer = self.rng.choice(self._peers)
        challenge = node.challenges.get(node.id, node.session)
        campaign = node.campaign
        return [
            0, 1, 2, 5, 6, 7, (1 << 64) - 1, 1 << 62, node.id, node.session, peer.node, peer.session,
            node.promise.floor.term, node.promise.floor.node, node.term_seen, node.term_seen + 1,
            campaign.claim.attempt if campaign else 0, challenge.nonce if challenge else 0,
        ]  # fmt: skip

    def _deliver(self, speaker: Peer) -> str:
        bench = self._bench
        found = self._repeats.find(self.data, OPEN)
        if found and bench.core.repeat(*found, source=speaker.endpoint, now_us=bench.now_us):
            return "repeated"
        try:
            datagram = decode(self.data, cluster=BENCH_CLUSTER, seal=OPEN)
        except DecodeError as error:
            return error.reason
        self._repeats.remember(self.data, datagram)
        if speaker.endpoint in self._owed:
            self._owed[speaker.endpoint] += len(self.data)
        bench.deliver(datagram, speaker.endpoint)
        return type(datagram.body).__name__

    def _settle(self) -> None:
        """Look at what it did; the peers answer its probes, the strangers do not."""
        bench = self._bench
        effects, bench.effects = bench.effects, []
        probes = []
        for effect in effects:
            if isinstance(effect, Send):
                self._account(effect.to, effect.datagram)
                if isinstance(effect.datagram.body, Probe):
                    probes.append((effect.datagram.header.destination, effect.datagram.body.nonce))
        for peer in self._peers:
            for nonce in (nonce for node, nonce in probes if node == peer.node):
                self._sequences[peer.node] = peer.sequence = self._sequences[peer.node] + 1
                bench.hear(peer, ProbeAck(echo=nonce, name=peer.name, version="0", returns=0))
        self._checker.check_tables(bench.node)

    def _account(self, to: Endpoint, datagram: Datagram) -> None:
        if to in self._owed:
            self._owed[to] -= len(encode(datagram, OPEN))
            assert self._owed[to] >= 0, f"{to} got {-self._owed[to]} bytes more than it sent"
