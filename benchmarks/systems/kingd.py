"""kingd itself, with a choice of timing; it tells by its events, which carry the moment."""

from collections.abc import Sequence

from benchmarks.systems.process import with_descendants
from benchmarks.systems.system import Word
from benchmarks.wire import Frame
from tests.lan.control import name_of
from tests.lan.host import Host
from tests.lan.network import Lan

_HEARTBEAT, _RESIGN = 2, 8  # docs/protocol.md 3.2


class Kingd:
    everybody_tells = True
    is_ranked = True

    def __init__(self, lan: Lan, *, config: str = "", beat_s: float = 0.1, is_privileged: bool = True) -> None:
        """`config`: kingd.toml. `is_privileged`: may take real-time priority."""
        self.hosts = lan.ranked(3, config=config)
        if not is_privileged:
            for host in self.hosts:
                host.wrapper = ["setpriv", "--bounding-set", "-sys_nice", "--inh-caps", "-sys_nice"]
        self.beat_s = beat_s

    def start(self, host: Host) -> None:
        host.start()

    def stop(self, host: Host) -> None:
        code = host.stop()
        assert code == 0, f"{host.name} ended with {code}\n{host.log}"

    def kill(self, host: Host) -> None:
        """The daemon; its guardian lives for as long as it takes to tell the others."""
        host.kill()

    def pids(self, host: Host) -> list[int]:
        return with_descendants(host.pid)

    def words(self, since_ns: int) -> list[Word]:
        return [
            Word(event["monotonic_ns"], host.name, name_of(event["leader"]))
            for host in self.hosts
            if host.is_running and host.status_or_none() is not None
            for event in host.changes(since_ns=since_ns)
        ]

    def said(self, host: Host) -> str | None:
        return host.leader() if host.is_running else None

    def close(self) -> None:
        for host in self.hosts:
            host.kill()


def leaderless_ms(frames: Sequence[Frame]) -> float | None:
    """From the first resignation on the wire to the first heartbeat of another, or None if there was no hand-over."""
    spoken = [(frame.at_ns, frame.source, frame.udp_payload[3]) for frame in frames if frame.udp_payload[:2] == b"Kg"]
    resigned = [(at_ns, source) for at_ns, source, kind in spoken if kind == _RESIGN]
    if not resigned:
        return None
    first_ns, former = resigned[0]
    beats = [at_ns for at_ns, source, kind in spoken if kind == _HEARTBEAT and source != former and at_ns > first_ns]
    return (beats[0] - first_ns) / 1e6 if beats else None
