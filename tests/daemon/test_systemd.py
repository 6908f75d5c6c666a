"""What systemd hears, on a socket of ours."""

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kingd.daemon import systemd


@pytest.fixture
def manager() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.setblocking(False)
        yield listener


SAID: list[tuple[Callable[[], None], bytes]] = [
    (lambda: systemd.ready("follower of box1"), b"READY=1\nSTATUS=follower of box1"),
    (lambda: systemd.status("a\nREADY=1\n b"), b"STATUS=a READY=1 b"),
    (lambda: systemd.status("\udcff"), b"STATUS=?"),
    (lambda: systemd.reloading(monotonic_us=12), b"RELOADING=1\nMONOTONIC_USEC=12"),
    (systemd.stopping, b"STOPPING=1"),
    (systemd.watchdog, b"WATCHDOG=1"),
]


@pytest.mark.parametrize(("say", "heard"), SAID)
def test_manager_hears(
    manager: socket.socket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, say: Callable[[], None], heard: bytes
) -> None:
    manager.bind(str(tmp_path / "notify"))
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    say()
    assert manager.recv(4096) == heard


def test_abstract_socket_is_understood(manager: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    manager.bind("")  # the kernel picks an abstract name
    monkeypatch.setenv("NOTIFY_SOCKET", "@" + manager.getsockname()[1:].decode())
    systemd.stopping()
    assert manager.recv(4096) == b"STOPPING=1"


def test_full_queue_does_not_block(manager: socket.socket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manager.bind(str(tmp_path / "notify"))
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    for _ in range(2000):
        systemd.watchdog()
    assert manager.recv(4096) == b"WATCHDOG=1"


@pytest.mark.parametrize("address", [None, "", "relative", "vsock:2:1", "/nonexistent/notify", "/" + "x" * 200, "@"])
def test_nobody_listening_is_no_error(monkeypatch: pytest.MonkeyPatch, address: str | None) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    if address is not None:
        monkeypatch.setenv("NOTIFY_SOCKET", address)
    systemd.ready("text")


ME, OTHER = "me", "another"  # not their numbers, by which tests that run side by side would have other names


@pytest.mark.parametrize(
    ("usec", "pid", "expected"),
    [
        ("10000000", ME, 10_000_000),
        ("10000000", None, 10_000_000),
        ("10000000", OTHER, None),
        (None, ME, None),
        ("0", ME, None),
        ("-5", ME, None),
        ("x", ME, None),
        ("²", ME, None),
        ("9" * 5000, ME, None),
    ],
)
def test_watchdog_interval(
    monkeypatch: pytest.MonkeyPatch, usec: str | None, pid: str | None, expected: int | None
) -> None:
    numbers = {ME: str(os.getpid()), OTHER: str(os.getpid() + 1), None: None}
    for name, value in (("WATCHDOG_USEC", usec), ("WATCHDOG_PID", numbers[pid])):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    assert systemd.watchdog_interval_us() == expected
