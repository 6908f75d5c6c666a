"""Hosts for the tests of the transport: a bridge, and namespaces with a `Transport` in each.

This file is also the program that runs in a namespace (`python net_node.py INTERFACE...`): it does what it reads on
stdin and tells on stdout what it hears, one JSON object a line. The bridge too is in a namespace, so that the host's
own interfaces are not touched; nothing of them stays (namespace.py).
"""

import contextlib
import itertools
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO, TypedDict

from kingd.core.wire.endpoint import Endpoint
from kingd.loop import Loop
from kingd.net.problems import Problem
from kingd.net.transport import Transport
from tests.lan.namespace import Namespace

PORT = 5466
GROUP4 = "239.255.54.66"
GROUP6 = "ff12::5466"
LIMIT_S = 20.0
TOP = Path(__file__).parents[2]

_serial = itertools.count()


class State(TypedDict):
    """What a node tells whenever something happened."""

    links: int
    endpoints: list[list[str | int]]
    problems: list[str]
    reported: list[str]
    heard: list[list[str | int | bool]]  # data, host, port, interface, is multicast


class Node:
    """One host: a namespace, and later a transport in it."""

    def __init__(self, name: str, namespace: Namespace) -> None:
        self.name = name
        self.namespace = namespace
        self.state = State(links=-1, endpoints=[], problems=[], reported=[], heard=[])
        self._process: subprocess.Popen[str] | None = None
        self._lines: queue.Queue[str] = queue.Queue()

    def ip(self, *lines: str) -> None:
        self.namespace.ip(*lines)

    def start(self, *interfaces: str) -> None:
        self._process = subprocess.Popen(
            self.namespace.command(sys.executable, __file__, *interfaces),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(TOP)},
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, args=[self._process.stdout])
        self._reader.start()
        self.until(lambda: self.state["links"] >= 0)

    def tell(self, *command: object) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()

    def until(self, condition: Callable[[], object], *, doing: Callable[[], None] | None = None) -> None:
        """Wait for `condition`, `doing` something again and again meanwhile."""
        deadline = time.monotonic() + LIMIT_S
        while True:
            if doing is not None:
                doing()
            self.tell("tell")
            self._take(wait_s=0.1)
            if condition():
                return
            assert time.monotonic() < deadline, f"{self.name} waited in vain: {self.state}"

    def endpoint(self, prefix: str) -> list[str | int]:
        """The node's endpoint whose address begins so."""
        self.until(lambda: self._endpoints(prefix))
        return self._endpoints(prefix)[0]

    def stop(self) -> None:
        if (process := self._process) is None:
            return
        process.kill()
        process.wait()
        self._reader.join()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.close()
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()

    def udp_sockets(self) -> set[str]:
        """Inodes of the UDP sockets in the namespace."""
        tables = self.namespace.run("cat", "/proc/net/udp", "/proc/net/udp6")
        return {line.split()[9] for line in tables.splitlines() if ":" in line.split()[0]}

    def heard(self, data: str) -> list[list[str | int | bool]]:
        self._take(wait_s=0)
        return [entry[1:] for entry in self.state["heard"] if entry[0] == data]

    def _endpoints(self, prefix: str) -> list[list[str | int]]:
        return [endpoint for endpoint in self.state["endpoints"] if str(endpoint[0]).startswith(prefix)]

    def _take(self, wait_s: float) -> None:
        try:
            line = self._lines.get(timeout=wait_s) if wait_s else self._lines.get_nowait()
            while True:
                self.state = json.loads(line)
                line = self._lines.get_nowait()
        except queue.Empty:
            pass

    def _read(self, output: TextIO) -> None:
        for line in output:
            self._lines.put(line)


class Lan:
    """Nodes on one switch."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.switch = self.node("sw")
        self.switch.ip("link add br0 type bridge", "link set br0 up")

    def node(self, name: str) -> Node:
        node = Node(name, Namespace())
        self.nodes.append(node)
        return node

    def beside(self, node: Node) -> Node:
        """A second daemon on that host."""
        self.nodes.append(Node(node.name, node.namespace))
        return self.nodes[-1]

    def plug(self, node: Node, interface: str = "eth0") -> str:
        """A cable from the node's interface to the switch; returns the name of the switch's port."""
        port = f"p{next(_serial)}"
        self.switch.ip(
            f"link add {port} type veth peer name {interface} netns {node.namespace.path}",
            f"link set {port} master br0 up",
        )
        node.ip(f"link set {interface} up")
        return port

    def host(self, name: str, *addresses: str) -> Node:
        node = self.node(name)
        self.plug(node)
        for address in addresses:
            node.ip(f"address add {address} dev eth0")
        return node

    def close(self) -> None:
        for node in self.nodes:
            node.stop()
        for namespace in {node.namespace for node in self.nodes}:
            namespace.close()


class Agent:
    """The program in the namespace."""

    def __init__(self, interfaces: list[str]) -> None:
        self._state = State(links=-1, endpoints=[], problems=[], reported=[], heard=[])
        self._told = ""
        self._transport = Transport(
            interfaces=interfaces,
            port=PORT,
            group4=GROUP4,
            group6=GROUP6,
            broadcast=True,
            on_datagram=self._on_datagram,
            on_refused=lambda _: None,
            on_links_changed=self._on_links_changed,
            on_problem=self._on_problem,
        )

    def run(self) -> None:
        loop, commands = Loop(), bytearray()

        def read() -> None:
            data = os.read(sys.stdin.fileno(), 65536)
            commands.extend(data)
            while b"\n" in commands:
                line, _, rest = commands.partition(b"\n")
                commands[:] = rest
                self._do(json.loads(line))
                self._tell()
            if not data:
                loop.stop()

        self._transport.start(loop)
        loop.add_reader(sys.stdin.fileno(), read)
        loop.run()
        self._transport.close()

    def _do(self, command: list[object]) -> None:
        match command:
            case ["multicast", str(data), bool(everywhere), bool(broadcast)]:
                self._transport.multicast(data.encode(), everywhere=everywhere, broadcast=broadcast)
            case ["send", str(data), [str(host), int(port), str(interface)]]:
                self._transport.send(data.encode(), Endpoint(host, port, interface))
            case ["rejoin"]:
                self._transport.rejoin()
            case ["tell"]:
                pass
            case _:
                raise ValueError(command)

    def _tell(self) -> None:
        self._state["endpoints"] = [list(endpoint) for endpoint in self._transport.local_endpoints()]
        self._state["problems"] = [problem.text for problem in self._transport.problems()]
        if (now := json.dumps(self._state)) != self._told:
            self._told = now
            sys.stdout.write(now + "\n")
            sys.stdout.flush()

    def _on_datagram(self, data: bytes, source: Endpoint, is_multicast: bool) -> None:
        self._state["heard"].append([data.decode(), *source, is_multicast])
        self._tell()

    def _on_links_changed(self, links: int) -> None:
        self._state["links"] = links
        self._tell()

    def _on_problem(self, problem: Problem) -> None:
        self._state["reported"].append(problem.text)


if __name__ == "__main__":
    Agent(sys.argv[1:]).run()
