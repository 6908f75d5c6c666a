"""A `kingctl serve` under test, and a client that says what it wants."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.cli.runs import LIMIT_S

Address = tuple[str, int]


@contextmanager
def serving(path: Path, *options: str) -> Iterator[Address]:
    """The process, at a port of its own choice."""
    argv = [sys.executable, "-m", "kingd.cli", "--socket", str(path), "serve", "--listen", "127.0.0.1:0", *options]
    with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True) as child:
        try:
            assert child.stderr is not None
            said = child.stderr.readline()
            assert said.startswith("kingctl: serving http://127.0.0.1:"), said
            yield "127.0.0.1", int(said.rstrip("/\n").rpartition(":")[2])
        finally:
            child.terminate()
            assert child.wait(LIMIT_S) == 0


class Got(NamedTuple):
    status: int
    headers: dict[str, str]
    body: str


def connect(address: Address) -> socket.socket:
    return socket.create_connection(address, LIMIT_S)


def raw(address: Address, request: bytes) -> bytes:
    """All that comes back; b"" where it was cut off."""
    with connect(address) as client:
        client.sendall(request)
        return rest(client)


def rest(client: socket.socket) -> bytes:
    found = b""
    try:
        while piece := client.recv(65536):
            found += piece
    except ConnectionError:
        return b""
    return found


def get(address: Address, path: str, *, host: str | None = None, verb: str = "GET") -> Got:
    named = "" if host is None else f"Host: {host}\r\n"
    found = raw(address, f"{verb} {path} HTTP/1.1\r\n{named}\r\n".encode())
    head, _, body = found.decode().partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return Got(int(first.split()[1]), headers, body)
