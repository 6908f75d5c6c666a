"""How long a cluster is without its leader: three hosts, default timing, 20 trials at a random moment of the heartbeat.

From the instant before the fault is made (so with the few milliseconds that making it takes) to the `monotonic_ns` of
the `elected` event of the host that leads then, as that host tells it. The clock is the same in all namespaces.
"""

import os
import random
import signal
import time

from benchmarks.measured import Measured
from tests.lan.host import Host
from tests.lan.network import Lan

TRIALS = 20
_PHASE_S = 0.3  # more than a heartbeat, and enough for what a start leaves behind to settle


def cable() -> list[Measured]:
    pulled: list[float] = []
    put_back: list[float] = []
    with Lan() as lan:
        a, b, c = lan.trio()
        for _ in range(TRIALS):
            _settle(lan)
            start_ns = time.monotonic_ns()
            lan.pull(a)
            lan.until_led_by("b", [b, c])
            pulled.append(_elected_ms(b, start_ns))
            start_ns = time.monotonic_ns()
            lan.put_back(a)
            lan.until_led_by("a")
            put_back.append(_elected_ms(a, start_ns))
    return [
        Measured(what="cable of the leader pulled", unit="ms", values=pulled, bar=650),
        Measured(what="cable of the highest put back", unit="ms", values=put_back),
    ]


def kill() -> list[Measured]:
    return _ended("SIGKILL of the leading daemon", signal.SIGKILL, bar=650)


def stop() -> list[Measured]:
    return _ended("planned stop of the leader (SIGTERM)", signal.SIGTERM, bar=20)


def _ended(what: str, number: signal.Signals, *, bar: float) -> list[Measured]:
    gone: list[float] = []
    returned: list[float] = []
    with Lan() as lan:
        a, b, _ = lan.trio()
        for _ in range(TRIALS):
            _settle(lan)
            start_ns = time.monotonic_ns()
            os.kill(a.pid, number)
            a.exit_code()
            lan.until_led_by("b")
            gone.append(_elected_ms(b, start_ns))
            start_ns = time.monotonic_ns()
            a.start()
            lan.until_led_by("a")
            returned.append(_elected_ms(a, start_ns))
    return [
        Measured(what=what, unit="ms", values=gone, bar=bar),
        Measured(what=f"return of the highest after {number.name}, from its start", unit="ms", values=returned),
    ]


def _settle(lan: Lan) -> None:
    lan.until_complete()
    lan.until_led_by("a")
    time.sleep(random.uniform(0, _PHASE_S))


def _elected_ms(host: Host, start_ns: int) -> float:
    elected = [event for event in host.changes(since_ns=start_ns) if event["event"] == "elected"]
    return (elected[-1]["monotonic_ns"] - start_ns) / 1e6
