"""What a datagram costs: `python -m benchmarks.costs --nodes 3,10,50,150,450,1000,2000,10000`, in microseconds of a processor.

Of each kind as it arrives at, or leaves, a host of a cluster of N: decoding, the core, and encoding what it says to it, as
the daemon does it (kingd/daemon/runtime.py), with tables of that size (kingd/sim/settled.py). What the kernel and the
event loop take is measured once, with the daemon's own transport on loopback: a datagram that wakes the process, one of a
burst, and one that is sent (there the sender does the receiver's share of the kernel's work, too). Each figure is a
median, by the clock of the thread: what else runs on the machine is not counted. At rest a daemon finds the processor's caches
as others have left them: what is measured at rest is measured after 8 MiB of something else, what comes in bursts is not.
Kept in docs/results/costs.json, from which `python -m benchmarks.scale_page` makes docs/scale.md."""

import argparse
import json
import socket
import statistics
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.measured import machine
from kingd.core.effect import Effect, Multicast, Send
from kingd.core.rules import saying
from kingd.core.state.roles import Follower, Leader
from kingd.core.timing import MS, SECOND
from kingd.core.wire.codec import decode, encode
from kingd.core.wire.endpoint import Endpoint
from kingd.core.wire.message import (
    NO_SESSION,
    NOBODY,
    Announce,
    Body,
    Claim,
    Datagram,
    Grant,
    Heartbeat,
    Ping,
    Pong,
    Role,
)
from kingd.core.wire.repeats import Repeats
from kingd.core.wire.seal import Seal
from kingd.loop import Loop
from kingd.net.transport import Transport
from kingd.sim.cluster import Cluster, hosts
from kingd.sim.host import Host
from kingd.sim.settled import core_of, settle

RESULTS = Path(__file__).parents[1] / "docs" / "results" / "costs.json"
KERNEL = "kernel"
_TIMES = 300
_VOTERS = 40
_LOOPBACK_S = 5.0
_SENDS = 3_000
_BURST = 200
_SEAL = Seal()
_ELSE = bytes(8 << 20)

Costs = dict[str, float]


class Bench:
    """One host of a settled cluster, and how long its core is busy."""

    def __init__(self, cluster: Cluster, host: Host) -> None:
        self.host, self.core = host, core_of(host)
        self.now_us = self.core.node.now_us
        self._cluster, self._leader = host.settings.cluster, cluster.hosts[0]
        self._repeats = Repeats()
        self.sent: list[Datagram] = []

    def hear(self, host: Host, body: Body, *, multicast: bool = False, cold: bool = False) -> float:
        """Receive this from `host`, as Runtime._on_datagram does, and encode the answer. In microseconds."""
        node, to = core_of(host).node, self.core.node
        addressed = (NOBODY, NO_SESSION) if multicast else (to.id, to.session)
        header = saying.header(
            node, node.out.number(), destination=addressed[0], receiver=addressed[1], multicast=multicast
        )
        data = encode(Datagram(header, body), _SEAL)
        if cold:
            _do_something_else()
        return self._timed(lambda: self._receive(data, host.endpoint))

    def _receive(self, data: bytes, source: Endpoint) -> list[Effect]:
        found = self._repeats.find(data, _SEAL)
        if found is not None and self.core.repeat(*found, source=source, now_us=self.now_us):
            return []
        datagram = decode(data, cluster=self._cluster, seal=_SEAL)
        self._repeats.remember(data, datagram)
        return self.core.receive(datagram, source=source, now_us=self.now_us)

    def tick(self, *, cold: bool = False) -> float:
        if cold:
            _do_something_else()
        return self._timed(lambda: self.core.tick(now_us=self.now_us))

    def _timed(self, entry: Callable[[], list[Effect]]) -> float:
        began_ns = time.thread_time_ns()
        said = [effect.datagram for effect in entry() if isinstance(effect, Send | Multicast)]
        for datagram in said:
            encode(datagram, _SEAL)
        spent_ns = time.thread_time_ns() - began_ns
        self.sent += said
        return spent_ns / 1e3

    def rest(self, duration_us: int) -> None:
        """Time passes. A follower hears its leader, and a leader its first follower."""
        end_us = self.now_us + duration_us
        while self.now_us < end_us:
            self.now_us = min(end_us, self.now_us + 100 * MS)
            if self.core.node.role is Role.LEADER:
                self.tick()
            else:
                self.hear_leader()
                self.tick()

    def hear_leader(self, *, cold: bool = False) -> float:
        body = Heartbeat(interval_ms=100, lonely=False, alive=self.core.node.last.counted, lease_ms=0)
        return self.hear(self._leader, body, multicast=True, cold=cold)


def _do_something_else() -> None:
    _ELSE.count(b"x")


def measure(nodes: int) -> Costs:
    cluster = Cluster(hosts(*range(nodes, 0, -1)), seed=nodes, encodes=False)
    voters = cluster.hosts[4:][-_VOTERS:] or cluster.hosts[2:]
    seated = [*cluster.hosts[:4], *(host for host in voters if host.index >= 4)]
    settle(cluster, among=seated)
    every_us = max(cluster.hosts[0].core.node.scale.members if cluster.hosts[0].core else 1, 1)
    every_us = min(SECOND, max(every_us * 1_000, SECOND // nodes))
    return _of_leader(cluster, every_us) | _of_follower(cluster, voters[-1], every_us) | _of_failover(cluster, voters)


def _of_leader(cluster: Cluster, every_us: int) -> Costs:
    bench, others = Bench(cluster, cluster.hosts[0]), cluster.hosts[1:4096]
    leader = bench.core.node.state
    assert isinstance(leader, Leader)
    pings, announcements, beats = [], [], []
    for turn in range(_TIMES):
        other = others[turn % len(others)]
        bench.rest(every_us)
        pings.append(bench.hear(other, Ping(nonce=turn, heard=next(reversed(leader.echoes)), polling=False), cold=True))
        announcements.append(bench.hear(other, _announcement(other), multicast=True, cold=True))
        bench.now_us = leader.heartbeat_at_us
        beats.append(bench.tick(cold=True))
    return {
        "leader: Ping received, Pong sent": statistics.median(pings),
        "leader: Announce received": statistics.median(announcements),
        "leader: Heartbeat sent": statistics.median(beats),
    }


def _of_follower(cluster: Cluster, host: Host, every_us: int) -> Costs:
    bench, leader = Bench(cluster, host), cluster.hosts[0]
    others = [other for other in cluster.hosts[-2000:] if other is not host]
    beats, announcements, pings, pongs = [], [], [], []
    for turn in range(_TIMES):
        bench.rest(every_us)
        beats.append(bench.hear_leader(cold=True))
        announcements.append(
            bench.hear(others[turn % len(others)], _announcement(others[turn % len(others)]), multicast=True, cold=True)
        )
        state = bench.core.node.state
        assert isinstance(state, Follower)
        state.prove_at_us = state.ping_at_us = bench.now_us
        bench.core._deadline_us = bench.now_us  # noqa: SLF001
        bench.sent.clear()
        pings.append(bench.tick(cold=True))
        asked = [datagram.body for datagram in bench.sent if isinstance(datagram.body, Ping)]
        pongs.append(bench.hear(leader, Pong(echo=asked[-1].nonce), cold=True))
    return {
        "follower: Heartbeat received": statistics.median(beats),
        "follower: Announce received": statistics.median(announcements),
        "follower: Ping sent": statistics.median(pings),
        "follower: Pong received": statistics.median(pongs),
    }


def _announcement(host: Host) -> Announce:
    return Announce(name=host.name, version="0", interval_ms=1_000)


def _of_failover(cluster: Cluster, voters: Sequence[Host]) -> Costs:
    """The leader is silent; the next one claims, all grant."""
    bench = Bench(cluster, cluster.hosts[1])
    claim, claimed_us, questions_us = _until_claim(bench)
    claims = [datagram for datagram in bench.sent if datagram.body == claim]
    expiries, grants_out = [], []
    for host in voters:
        voter = Bench(cluster, host)
        expiries.append(_until_expired(voter))
        grants_out.append(voter.hear(cluster.hosts[1], claim))
    by_id = {host.node_id: host for host in cluster.hosts}
    granted = [
        bench.hear(by_id[datagram.header.destination], Grant(term=claim.term, attempt=claim.attempt))
        for datagram in claims
        if by_id[datagram.header.destination] is not cluster.hosts[0]
    ]
    return {
        "candidate: before it claims": questions_us,
        "candidate: Claim sent": claimed_us / len(claims),
        "candidate: Grant received": statistics.median(granted),
        "candidate: the last Grant received": granted[-1],
        "voter: its promise runs out": statistics.median(expiries),
        "voter: Claim received, Grant sent": statistics.median(grants_out),
    }


def _until_claim(bench: Bench) -> tuple[Claim, float, float]:
    spent_us = 0.0
    bench.sent.clear()
    while True:
        bench.now_us = max(bench.now_us, bench.core.deadline_us)
        took_us = bench.tick()
        if bench.core.node.durable.ceiling < bench.core.node.durable.ceiling_asked:
            bench.core.persisted(bench.core.node.durable.ceiling_asked, hold_us=0, now_us=bench.now_us)
        for datagram in bench.sent:
            if isinstance(datagram.body, Claim):
                return datagram.body, took_us, spent_us
        spent_us += took_us


def _until_expired(bench: Bench) -> float:
    spent_us = 0.0
    while bench.core.node.role is Role.FOLLOWER:
        bench.now_us = max(bench.now_us, bench.core.deadline_us)
        spent_us += bench.tick()
    return spent_us


# -- the kernel, and the event loop


class Sender(threading.Thread):
    """Sends to `to` until told to stop: so many at once, now and then."""

    def __init__(self, to: tuple[str, int], *, at_once: int) -> None:
        super().__init__(daemon=True)
        self._to, self._at_once, self.ends = to, at_once, threading.Event()

    def run(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            while not self.ends.wait(0.02):
                for _ in range(self._at_once):
                    sock.sendto(bytes(128), self._to)


def _kernel() -> Costs:  # noqa: PLR0915 - one measurement after the other
    heard, elsewhere_s, is_cold = 0, 0.0, False

    def on_datagram(_data: bytes, _source: Endpoint, _multicast: bool) -> None:
        nonlocal heard, elsewhere_s
        heard += 1
        if is_cold:
            began_s = time.thread_time()
            _do_something_else()
            elsewhere_s += time.thread_time() - began_s

    transport = Transport(
        interfaces=["lo"], port=0xB0D0, group4="239.255.54.67", group6="ff12::5467", broadcast=False,
        on_datagram=on_datagram, on_refused=lambda _: None, on_links_changed=lambda _: None, on_problem=lambda _: None,
    )  # fmt: skip
    loop = Loop()
    transport.start(loop)
    costs = {}
    try:
        here = next(endpoint for endpoint in transport.local_endpoints() if "." in endpoint.host)
        for name, at_once in (("received, one that wakes the process", 1), ("received, one of a burst", _BURST)):
            is_cold = at_once == 1
            sender = Sender((here.host, here.port), at_once=at_once)
            sender.start()
            heard, elsewhere_s, began_s = 0, 0.0, time.thread_time()
            loop.call_later(_LOOPBACK_S, loop.stop)
            loop.run()
            costs[name] = (time.thread_time() - began_s - elsewhere_s) / heard * 1e6
            sender.ends.set()
            sender.join()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sink:
            sink.bind((here.host, 0))
            to = Endpoint(here.host, sink.getsockname()[1], "lo")
            costs["sent"] = _each(lambda: transport.send(bytes(128), to))
        costs["sent to the group"] = _each(lambda: transport.multicast(bytes(128), everywhere=False, broadcast=False))
    finally:
        transport.close()
    return costs


def _each(act: Callable[[], None]) -> float:
    began_s = time.thread_time()
    for _ in range(_SENDS):
        act()
    return (time.thread_time() - began_s) / _SENDS * 1e6


# -- the file


def load(file: Path) -> dict[str, Costs]:
    """By the number of nodes, and `KERNEL`."""
    return dict(json.loads(file.read_text(encoding="utf-8"))["costs"]) if file.exists() else {}


def machine_of(file: Path) -> str:
    return str(json.loads(file.read_text(encoding="utf-8"))["machine"])


def merge(file: Path, costs: dict[str, Costs]) -> None:
    kept = load(file) | {name: {row: round(us, 1) for row, us in of.items()} for name, of in costs.items()}
    ordered = sorted(kept.items(), key=lambda item: (item[0] != KERNEL, int(item[0]) if item[0] != KERNEL else 0))
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(of)}" for name, of in ordered)
    file.write_text(f'{{"machine": {json.dumps(machine())},\n"costs": {{\n{lines}\n}}}}\n', encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.costs", description="What a datagram costs.")
    parser.add_argument(
        "--nodes", default=f"{KERNEL},3,10,50,150,450,1000,2000,10000", metavar="N,...", help="[%(default)s]"
    )
    parser.add_argument("--into", type=Path, default=RESULTS, metavar="FILE", help="default: %(default)s")
    options = parser.parse_args()
    for name in options.nodes.split(","):
        costs = _kernel() if name == KERNEL else measure(int(name))
        merge(options.into, {name: costs})
        print(f"{name}: " + ", ".join(f"{row} {us:.0f}" for row, us in costs.items()), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
