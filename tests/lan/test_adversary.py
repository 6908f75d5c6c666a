"""What somebody on the LAN without the key must not achieve: to lead, to depose, to be a member, to crash a daemon or
to learn more than that it exists. And what holds even where there is no key. docs/security.md has the table.
"""

import itertools
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests import wire
from tests.lan.adversary import GROUP, Adversary, Identity, impostors
from tests.lan.capture import Capture, replay
from tests.lan.host import Host, until
from tests.lan.network import Lan

pytestmark = pytest.mark.lan
_log = logging.getLogger(__name__)
Trio = tuple[Host, Host, Host]

KEY, WRONG = bytes(range(32)), b"\x55" * 32
RECORD_S = float(os.environ.get("KINGD_RECORD_S", "4"))
ANNOUNCE = wire.Announce(host=b"mole", software=b"6.6.6")
BEAT = wire.Heartbeat()
HUGE = (1 << 64) - 1
HIGHEST = 0xFFFF


def cluster(lan: Lan, mode: str) -> Trio:
    return lan.trio(config="" if mode == "off" else lan.with_key(KEY, mode))


@contextmanager
def undisturbed(lan: Lan, trio: Trio, *, members: str = "a b c") -> Iterator[None]:
    """Meanwhile and afterwards: no change of leadership anywhere, and everybody knows the same hosts as before."""
    term, start_ns = lan.until_led_by("a", trio), time.monotonic_ns()
    yield
    assert lan.until_led_by("a", trio) < term + 10  # a stutter of a busy machine takes one, without a change of leader
    assert not (changes := lan.changes(start_ns, trio)), changes
    for host in trio:
        assert sorted(host.members()) == members.split()
        assert {row["state"] for row in host.members().values()} == {"alive"}


def rejected(trio: Trio, reason: str) -> int:
    return sum(host.status()["rejected"].get(reason, 0) for host in trio)


def claims_to_lead(adversary: Adversary) -> Identity:
    me = adversary.invent(role=4, priority=HIGHEST, flags=1, leader_term=1000, floor_term=1000)
    me.header |= {"leader_node": me.node, "floor_node": me.node}
    return me


# -- a leader that is none


@pytest.mark.parametrize("mode", ["off", "enforce"])
def test_forged_leader_that_cannot_be_reached(lan: Lan, mode: str) -> None:
    """Heartbeats of the best host there ever was, with a high term: without a round trip nobody follows, with or without
    a key."""
    trio = cluster(lan, mode)
    with Adversary(lan) as adversary, undisturbed(lan, trio):
        me = claims_to_lead(adversary)
        for _ in range(200):
            for target in (GROUP, *trio):
                adversary.send(adversary.bytes_of(me.says(BEAT)), target)
            time.sleep(0.01)


@pytest.mark.parametrize("secret", [None, WRONG], ids=["unsigned", "another key"])
def test_forged_leader_without_the_key_gets_no_answer_to_anything(lan: Lan, secret: bytes | None) -> None:
    """He says all there is to say, and would answer every probe. Nobody ever sends him anything."""
    trio = cluster(lan, "enforce")
    with Adversary(lan, secret=secret) as adversary, undisturbed(lan, trio):
        me = claims_to_lead(adversary)
        adversary.live_as(me)
        everything = [
            ANNOUNCE, BEAT, wire.Probe(nonce=1), wire.ProbeAck(), wire.Claim(term=1001), wire.Grant(term=1),
            wire.Refuse(term=1), wire.Resign(), wire.Ping(nonce=1), wire.Pong(), wire.Offer(), wire.Ready(),
            wire.Survey(nonce=1), wire.Report(), wire.Obituary(), wire.Roster(),
        ]  # fmt: skip
        targets: tuple[Host | str, ...] = (GROUP, *trio)
        for _, body, target in itertools.product(range(22), everything, targets):
            adversary.send(adversary.bytes_of(me.says(body)), target)
        time.sleep(0.5)
        assert not adversary.got
        assert rejected(trio, "unsigned" if secret is None else "bad-key") > 1000
        why = {stranger["why"] for host in trio for stranger in host.status()["strangers"]}
        assert why == {"bad-key"}


def test_name_that_would_be_something_else_in_a_command_line(lan: Lan) -> None:
    """Without a key anybody may be a member, and lead: but under a name that is one. `ssh $(kingctl leader)` runs nothing of
    his, and an answer is never an empty line."""
    trio = cluster(lan, "off")
    with Adversary(lan) as adversary, undisturbed(lan, trio):
        for name in ("-oProxyCommand=touch${IFS}pwn", "", "-", "a b", "$(id)", "é"):
            me = adversary.invent(name=name, priority=HIGHEST, role=1)
            adversary.live_as(me)
            announce = wire.Announce(host=name.encode(), software=b"6.6.6")
            for _ in range(3):
                for target in (GROUP, *trio):
                    for body in (announce, BEAT, wire.Ping(nonce=1)):
                        adversary.send(adversary.bytes_of(me.says(body)), target)
                time.sleep(0.3)
        assert rejected(trio, "text") > 50


# -- in the name of the leader


def test_forged_goodbyes_of_the_leader(lan: Lan) -> None:
    """From its address, with its id, its session, its ballot and a fresh number; only the signature is missing, or
    another's, or that of another datagram."""
    trio = a, b, c = cluster(lan, "enforce")
    with Adversary(lan) as adversary, undisturbed(lan, trio):
        leader = adversary.overhear(a)
        ballot = {"ballot_term": leader.header["leader_term"], "ballot_node": leader.node}
        with Capture(lan.switch) as capture:
            time.sleep(0.3)
        signature = capture.payloads(source=a)[-1][-32:-16]
        for _ in range(50):
            for body in (wire.Resign(**ballot, reason=4, leaving=1), wire.Resign(**ballot), wire.Obituary()):
                unsigned = wire.finish(leader.says(body))
                wrong = bytearray(wire.finish(leader.says(body), secret=WRONG))
                wrong[109] = wire.key_id(KEY)
                borrowed = bytes(wrong[:-32]) + signature
                mended = [bytes(wrong[:-16]), borrowed]
                for data in (unsigned, *(part + wire.mac(part, bytes(32)) for part in mended)):
                    for target in (GROUP, b, c):
                        adversary.send_as(a, data, target)
            time.sleep(0.02)
        assert rejected(trio, "unsigned") > 100
        assert rejected(trio, "bad-key") > 200


def test_goodbyes_in_the_name_of_the_leader_without_its_session(lan: Lan) -> None:
    """Without a key he would have to listen first."""
    trio = a, b, c = cluster(lan, "off")
    with Adversary(lan) as adversary, undisturbed(lan, trio):
        leader = adversary.overhear(a)
        ballot = {"ballot_term": leader.header["leader_term"], "ballot_node": leader.node}
        guess = Identity(leader.node, leader.session ^ 1, **leader.header)
        for _ in range(50):
            for target in (GROUP, b, c):
                adversary.send_as(a, wire.finish(guess.says(wire.Resign(**ballot, reason=4, leaving=1))), target)
                adversary.send_as(a, wire.finish(guess.says(wire.Obituary())), target)
            time.sleep(0.02)
        assert rejected(trio, "obituary") > 50


@pytest.mark.parametrize("mode", ["off", "enforce"])
def test_spoofed_sources_move_nobody(lan: Lan, mode: str) -> None:
    """What the leader said, from another address; what a stranger says, from the leader's. The leader stays where it is."""
    trio = a, b, c = cluster(lan, mode)
    with Adversary(lan) as adversary, undisturbed(lan, trio):
        with Capture(lan.switch) as capture:
            time.sleep(1)
        me, said = adversary.invent(), capture.payloads(source=a)
        for data in said:
            adversary.send(data, GROUP)
            adversary.send(data, b)
            adversary.send_as(c, data, b)
            adversary.send_as(a, wire.finish(me.says(ANNOUNCE)), b)
        for host in (b, c):
            assert host.members()["a"]["address"] == f"{a.address}:5466"


def test_spoofed_icmp_changes_nothing(lan: Lan) -> None:
    """Port unreachable, by the hundred, in both directions: of a leader that is heard, a hint that nobody takes."""
    trio = cluster(lan, "off")
    with Adversary(lan) as adversary, undisturbed(lan, trio):
        for _ in range(100):
            for victim, to in itertools.permutations(trio, 2):
                adversary.unreachable(victim, to)
            time.sleep(0.01)
        assert [host.status()["problems"] for host in trio] == [[], [], []]


# -- recordings


def test_099_replay_all_with_keys(lan: Lan) -> None:
    """All that the cluster said, with its signatures, is said again: to everybody, to a host that has just booted, and,
    when the cluster is gone, to one that is alone with it. (KINGD_RECORD_S=60 makes it a minute's worth.)"""
    with Capture(lan.switch) as capture:
        trio = a, b, _ = cluster(lan, "enforce")
        b.restart()
        lan.until_complete()
        time.sleep(RECORD_S)
    said = capture.payloads()
    _log.info("%d datagrams recorded in %g s after the start", len(said), RECORD_S)
    stranger = lan.host("stranger")
    fresh = lan.host("fresh", priority=5, config=a.config.read_text(encoding="utf-8"))
    with undisturbed(lan, trio, members="a b c fresh"):
        for target in (GROUP, *trio):
            replay(stranger, said, to=target)
        fresh.start()
        for _ in range(5):
            for target in (GROUP, fresh):
                replay(stranger, said, to=target)
        until(lambda: fresh.leader() == "a", what=fresh.summary)
        until(lambda: len(a.members()) == 4)
    assert "elected" not in [event["event"] for event in fresh.events()]
    for host in lan.running:
        host.kill()
    fresh.start()
    for _ in range(10):
        for target in (GROUP, fresh):
            replay(stranger, said, to=target)
        assert fresh.leader() in (None, "fresh")
    lan.until_led_by("fresh", [fresh])


# -- an insider, and a crowd


@pytest.mark.parametrize("mode", ["off", "enforce"])
def test_102_term_poison(lan: Lan, mode: str) -> None:
    """A verified member (with the key, where there is one) says that the last of all terms has come."""
    trio = cluster(lan, mode)
    with Adversary(lan, secret=KEY if mode == "enforce" else None) as adversary:
        me = adversary.invent(priority=0, role=1)
        adversary.live_as(me)
        adversary.send(adversary.bytes_of(me.says(ANNOUNCE, flags=1)), GROUP)
        until(lambda: all("mole" in host.members() for host in trio))
        with undisturbed(lan, trio, members="a b c mole"):
            for term, target in itertools.product((HUGE, (1 << 63) + 1, 1 << 40), trio):
                body = wire.Resign(ballot_term=term, ballot_node=me.node)
                refuse = wire.Refuse(term=1, holder_term=term, holder_node=me.node)
                for packet in (
                    me.says(wire.Claim(term=term, attempt=1)),
                    me.says(body),
                    me.says(refuse),
                    me.says(ANNOUNCE, leader_term=term, leader_node=me.node),
                    me.says(ANNOUNCE, floor_term=term, floor_node=me.node),
                ):
                    adversary.send(adversary.bytes_of(packet), target)
            until(lambda: rejected(trio, "term") >= 45, what=lambda: str(rejected(trio, "term")))
    trio[0].kill()
    assert lan.until_led_by("b", trio[1:]) < 100


@pytest.mark.timeout(300)
@pytest.mark.parametrize("mode", ["off", "enforce"])
def test_hundred_thousand_identities(lan: Lan, mode: str) -> None:
    """Nobody answers for them: they get a probe at most, and leave nothing."""
    trio = a, _, _ = cluster(lan, mode)
    stranger = lan.host("stranger")
    replay(stranger, impostors(2_000, ANNOUNCE, seed=1), to=a)
    before = a.memory["Rss"]
    with undisturbed(lan, trio):
        replay(stranger, impostors(100_000, ANNOUNCE, seed=2), to=a)
        assert a.memory["Rss"] - before < 2048


def test_crowd_that_answers_fills_the_table_and_drives_nobody_out(lan: Lan) -> None:
    """Without a key anybody may be a member, hundreds of times: those who were there stay, and so does the leader."""
    trio = a, _, _ = cluster(lan, "off")
    with Adversary(lan) as adversary:
        crowd = [adversary.invent(priority=0, role=1) for _ in range(600)]
        for me in crowd:
            adversary.live_as(me)
        lan.until_led_by("a")
        start_ns, before = time.monotonic_ns(), a.memory["Rss"]

        def fills_the_table() -> bool:
            """As a host does, each says again that it is there: what a busy machine lost comes once more."""
            for me in crowd:
                adversary.send(adversary.bytes_of(me.says(ANNOUNCE, flags=1)), GROUP)
                time.sleep(0.005)
            return a.status()["members"]["alive"] + a.status()["members"]["dead"] > 500  # dead again or not

        until(fills_the_table, limit_s=60, what=lambda: str(a.status()["members"]))
        assert a.memory["Rss"] - before < 8 << 10
        for host in trio:
            assert {"a", "b", "c"} <= set(host.members())
        lan.until_led_by("a", trio)
        assert not lan.changes(start_ns, trio)


@pytest.mark.parametrize("mode", ["off", "permissive"])
def test_amplification_is_below_one(lan: Lan, mode: str) -> None:
    """The shortest datagram of each type, each from a new session, as an address would be sent to that somebody else has
    forged: what comes back is less. (Where a key is required nothing comes back at all: above.)"""
    a, *_ = cluster(lan, mode)
    with Adversary(lan) as adversary:
        target = adversary.overhear(a)
        to = {"destination": target.node, "receiver": target.session}
        for kind, body in wire.BODIES.items():
            packets = [wire.finish(adversary.invent().says(body(), **to)) for _ in range(50)]
            sent, got = answered(adversary, packets, a)
            _log.info("%s %s: %d bytes sent, %d came back: %.3f", mode, body.__name__, sent, got, got / sent)
            assert got < sent
            assert (got > 0) == (kind not in (4, 15, 18, 19, 20, 21)), (
                "nobody's question, no such type, and what only members may ask"
            )


def test_amplification_of_a_multicast_is_below_the_number_of_hosts(lan: Lan) -> None:
    """Each host that hears it answers as if it alone had heard it: that is the most, and a probe to all gets nothing."""
    trio = cluster(lan, "off")
    with Adversary(lan) as adversary:
        for kind, body in wire.BODIES.items():
            packets = [wire.finish(adversary.invent(flags=1).says(body())) for _ in range(50)]
            sent, got = answered(adversary, packets, GROUP)
            _log.info("multicast %s: %d bytes sent, %d came back: %.3f", body.__name__, sent, got, got / sent)
            assert got < sent * len(trio)
            assert (got > 0) == (kind not in (3, 4, 15, 18, 19, 20, 21))


def answered(adversary: Adversary, packets: list[bytes], to: Host | str) -> tuple[int, int]:
    """Bytes sent, and bytes that came back (not what all hosts are told anyway)."""
    adversary.got.clear()
    for data in packets:
        adversary.send(data, to)
        time.sleep(0.001)
    time.sleep(0.1)
    return sum(map(len, packets)), sum(adversary.got.values())
