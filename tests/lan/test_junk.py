"""Datagrams that are none of ours, or not any more: the daemons lead on, stay small, and say what they refused."""

import random
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import pytest

from kingd.core.wire.codec import DESTINATION_AT, SESSION_AT, decode, encode
from kingd.core.wire.message import Announce, Datagram, NodeId, SessionId
from kingd.core.wire.seal import Seal, cluster_id
from tests.lan.capture import PORT, Capture, replay
from tests.lan.host import Host, until
from tests.lan.network import GROUP, Lan

pytestmark = pytest.mark.lan
Trio = tuple[Host, Host, Host]


@pytest.fixture
def traffic(lan: Lan) -> list[bytes]:
    """What a cluster says from its cold start on, over a change of leader, a survey and a stop. Its hosts run on."""
    with Capture(lan.switch) as capture:
        a, b, c = lan.trio()
        a.restart()
        lan.until_complete()
        lan.until_led_by("a")
        assert b.survey()["agree"]
        assert c.kingctl("priority", "11").returncode == 0
        assert c.stop() == 0
        c.start()
        lan.until_complete()
        lan.until_led_by("a")
    payloads = capture.payloads()
    assert len(payloads) > 100
    return payloads


def mutations(rng: random.Random, real: list[bytes], count: int) -> Iterator[bytes]:
    """Random bytes, and real datagrams that were cut short, lengthened, or had some bits turned over."""
    for _ in range(count):
        data = bytearray(rng.choice(real))
        match rng.randrange(4):
            case 0:
                yield rng.randbytes(rng.randrange(1400))
            case 1:
                yield bytes(data[: rng.randrange(len(data))])
            case 2:
                yield bytes(data) + rng.randbytes(rng.randrange(1, 2000))
            case _:
                for _ in range(rng.randrange(1, 4)):
                    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
                yield bytes(data)


class Size(NamedTuple):
    resident_kib: int
    log_lines: int
    refused: int


def size_of(host: Host) -> Size:
    """What strangers may let grow, and by how much."""
    return Size(host.memory["Rss"], len(host.log.splitlines()), sum(host.status()["rejected"].values()))


def test_junk_changes_nothing(lan: Lan, traffic: list[bytes]) -> None:
    """30,000 datagrams at the leader, at a follower and at the group: nobody is elected, and memory does not grow."""
    a, b, _ = lan.running
    stranger = lan.host("stranger")
    rng = random.Random(1)
    targets: list[Host | str] = [a, b, GROUP]
    for target in targets:  # what is made once is made now: counters, log lines, buffers
        replay(stranger, mutations(rng, traffic, 1000), to=target)
    lan.until_led_by("a")
    before = [size_of(host) for host in (a, b)]
    start_ns = time.monotonic_ns()
    for target in targets:
        replay(stranger, mutations(rng, traffic, 10_000), to=target)
    lan.until_led_by("a")
    assert not lan.changes(start_ns)
    for host, old in zip((a, b), before, strict=True):
        now = size_of(host)
        assert now.resident_kib - old.resident_kib < 1024
        assert now.log_lines - old.log_lines < 100
        assert now.refused - old.refused > 100  # all until the flood is noticed, then a sample
        assert stranger.address in host.log
        assert {"magic", "length", "truncated"} <= set(host.status()["rejected"])


def test_099_replay_all(lan: Lan, traffic: list[bytes]) -> None:
    """All that was ever said is said again, to everybody and to a host that has just booted: no role changes."""
    stranger = lan.host("stranger")
    a, b, c = lan.running
    fresh = lan.host("fresh", priority=5)
    start_ns = time.monotonic_ns()
    replay(stranger, traffic, to=GROUP)
    for host in (a, b, c):
        replay(stranger, traffic, to=host)
    fresh.start()
    for _ in range(5):
        replay(stranger, traffic, to=GROUP)
        replay(stranger, traffic, to=fresh)
        time.sleep(0.2)
    lan.until_led_by("a")
    until(lambda: fresh.status()["members"]["alive"] == 4, what=fresh.summary)
    lan.steady(1)
    assert not lan.changes(start_ns, [a, b, c])
    assert "elected" not in [event["event"] for event in fresh.events()]


def test_099_replay_all_to_a_fresh_node_alone(lan: Lan, traffic: list[bytes]) -> None:
    """The cluster is gone, and a stranger plays its past: the fresh node follows no ghost, and leads when they fade."""
    for host in lan.running:
        host.kill()
    stranger, fresh = lan.host("stranger"), lan.host("fresh")
    fresh.start()
    for _ in range(10):
        replay(stranger, traffic, to=GROUP)
        replay(stranger, traffic, to=fresh)
        assert fresh.leader() in (None, "fresh")
        time.sleep(0.2)
    lan.until_led_by("fresh", limit_s=5)


def test_flood_of_replays_is_a_flood(lan: Lan, traffic: list[bytes]) -> None:
    """What was recorded is as good for a flood as junk: the kernel drops it before it wakes the leader, what the others
    say arrives meanwhile, and who is new gets in when it is over."""
    a, *_ = lan.running
    stranger = lan.host("stranger")
    to_a = [data for data in traffic if data[DESTINATION_AT] == bytes.fromhex(a.status()["node"]["id"])]
    to_a = [data for data in to_a if data[SESSION_AT] == to_a[-1][SESSION_AT]]  # not what earlier sessions said
    start_ns = time.monotonic_ns()
    until(lambda: _flooded(a, stranger, to_a), what=lambda: a.log)
    for _ in range(5):
        replay(stranger, to_a[-1:] * 2000, to=a)
    lan.until_led_by("a")
    assert not lan.changes(start_ns)
    lan.host("d", priority=1).start()
    until(lambda: len(a.members()) == 4, limit_s=40, what=a.summary)
    until(lambda: "the flood of foreign datagrams is over" in a.log, limit_s=40, what=lambda: a.log)
    assert not lan.changes(start_ns, lan.running[:3])


def _flooded(host: Host, stranger: Host, said: list[bytes]) -> bool:
    """Without a word from the host in between, unlike `replay`: so many at once."""
    with stranger.namespace.inside(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sender:
        for number in range(6_000):
            sender.sendto(said[number % len(said)], (host.address, PORT))
    return "a flood of foreign datagrams" in host.log


def test_flood_of_strangers_keeps_every_table_bounded(lan: Lan, traffic: list[bytes]) -> None:
    """Announcements of 20,000 nodes that do not exist: they get their probe, and no room."""
    a = lan.hosts[0]
    stranger = lan.host("stranger")
    announce = next(datagram for datagram in map(_decoded, traffic) if isinstance(datagram.body, Announce))
    replay(stranger, _impostors(announce, 2_000, seed=1), to=a)
    before, start_ns = a.memory["Rss"], time.monotonic_ns()
    replay(stranger, _impostors(announce, 20_000, seed=2), to=a)
    lan.until_led_by("a")
    assert not lan.changes(start_ns)
    assert a.memory["Rss"] - before < 1024
    assert a.status()["members"] == {"alive": 3, "dead": 0}
    assert len(a.status()["strangers"]) <= 64


def _decoded(raw: bytes) -> Datagram:
    return decode(raw, cluster=cluster_id("default"), seal=Seal())


def _impostors(announce: Datagram, count: int, *, seed: int) -> Iterator[bytes]:
    """The same from other nodes: sealed with the zero key, as everybody can who has read docs/protocol.md."""
    rng, seal = random.Random(seed), Seal()
    for _ in range(count):
        source, session = NodeId(rng.getrandbits(63) + 1), SessionId(rng.getrandbits(63) + 1)
        yield encode(replace(announce, header=replace(announce.header, source=source, session=session)), seal)
