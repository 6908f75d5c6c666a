"""What the helper of kingd-leader.target asks and says of itself; how often, by a clock of its own."""

import select
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from kingd.acting import hearing
from kingd.daemon import leader_target
from kingd.daemon.leader_target import Helper
from kingd.daemon.target_units import TARGET
from tests.cli.fake_kingd import running

FOR_S = 10


@pytest.fixture
def signals() -> Iterator[None]:
    """As they were."""
    former = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)}
    yield
    signal.set_wakeup_fd(-1)
    for number, handler in former.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("signals")
def test_helper_is_quiet_while_no_daemon_answers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    now_us, tries = [1_000_000], list[object]()

    def wait(*waits: object) -> None:
        """It passes at once, and after ten seconds systemd has had enough."""
        pause_s = waits[-1]
        assert isinstance(pause_s, float)
        now_us[0] += round(pause_s * 1e6)
        if now_us[0] > (1 + FOR_S) * 1e6:
            signal.raise_signal(signal.SIGTERM)

    class Socket(socket.socket):
        def connect(self, path: object) -> None:
            tries.append(path)
            super().connect(path)  # type: ignore[arg-type]  # typeshed: an address of any family

    for module in (hearing, leader_target):
        monkeypatch.setattr(module, "now_us", lambda: now_us[0])
    monkeypatch.setattr(select, "select", wait)
    monkeypatch.setattr(socket, "socket", Socket)
    Helper(str(tmp_path / "control.sock")).run()
    assert 0 < len(tries) <= 2 * (FOR_S + 1)  # for what the daemon says by itself, and for its answer


@pytest.mark.usefixtures("signals")
def test_hand_over_that_the_helper_has_not_heard_of_does_not_wait_for_it_when_it_ends(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(select, "select", lambda *_: signal.raise_signal(signal.SIGTERM))
    with running(tmp_path / "control.sock") as kingd:
        Helper(str(kingd.path)).run()
        assert ("drained", TARGET) in kingd.service.calls
