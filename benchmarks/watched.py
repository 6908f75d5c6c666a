"""`python -m benchmarks.watched`: does it cost the election anything that it is looked at?

As root. Three hosts alone, and the same with `kingctl serve` on each, which ten clients scrape, each every 15 s, and on
which ten pages are open; in turns, so that whatever else the machine does hits both. Exits 1 if a figure at rest, or of a
failover, is more than a tenth worse by its median. What `serve` uses itself is not judged: it is a process of its own."""

import argparse
import contextlib
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks import trials
from benchmarks.idle import idle
from benchmarks.measured import Measured
from benchmarks.systems.catalogue import SYSTEMS
from tests.lan.host import LIMIT_S, Host
from tests.lan.network import Lan

SCRAPERS, SCRAPE_S, PAGES = 10, 15.0, 10
WORSE_MAX = 1.1
_SETTLE_S = 8.0  # each page has seen all that there is
_IDLE_S = 60.0  # what `serve` does once a minute is in it once: kingd/web/feed.py
PORT = 9466
_SERVE_NICE = 7  # weighs as much as kingd-web.service's CPUWeight=20
_ELSEWHERE_NICE = 19  # who looks on does so from other machines, but for here
Values = dict[str, list[float]]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.watched", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="of each (default: %(default)s)")
    parser.add_argument("--trials", type=int, default=10, metavar="N", help="failovers a round (default: %(default)s)")
    parser.add_argument("--client", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.client:
        look_on()
    if os.geteuid() != 0:
        print("The benchmarks need root, for network namespaces.", file=sys.stderr)
        return 1
    alone: Values = {}
    watched: Values = {}
    for number in range(options.rounds):
        for found, is_watched in ((alone, False), (watched, True)):
            print(f"round {number + 1}, {'watched' if is_watched else 'alone'} ...", file=sys.stderr, flush=True)
            measure(found, is_watched=is_watched, kills=options.trials)
    return told(alone, watched)


def measure(found: Values, *, is_watched: bool, kills: int) -> None:
    with Lan() as lan, ExitStack() as stack:
        system = SYSTEMS["kingd"](lan)
        stack.callback(system.close)
        for host in system.hosts if is_watched else []:
            stack.enter_context(watching(host))
        for name, values in at_rest(idle("kingd", system, settle_s=_SETTLE_S, idle_s=_IDLE_S)).items():
            found.setdefault(name, []).extend(values)
        for host in system.hosts:
            system.kill(host)
        for name, values in trials.kill(lan, system, kills).items():
            found.setdefault(f"{name}, ms", []).extend(values)


def at_rest(rows: list[Measured]) -> Values:
    """Of all three together: who leads may have changed between the look and the measurement."""
    found: Values = {}
    for row in rows:
        name, _, who = row.row.partition(", ")
        if who in ("leader", "follower"):
            found[f"{name}, all"] = [sum(found.get(f"{name}, all", [0.0])) + sum(row.values)]
        elif "frames" not in name:
            found[row.row] = list(row.values)
    return found


@contextmanager
def watching(host: Host) -> Iterator[None]:
    serve = ("-m", "kingd.cli", "--socket", str(host.socket), "serve", "--listen", f"127.0.0.1:{PORT}")
    with ExitStack() as stack:
        stack.enter_context(_beside(host, _SERVE_NICE, *serve))
        stack.enter_context(_beside(host, _ELSEWHERE_NICE, "-m", "benchmarks.watched", "--client"))
        yield


@contextmanager
def _beside(host: Host, nice: int, *argv: str) -> Iterator[None]:
    """Never with the real-time priority that this command may have; the kernel shares the processors among sessions, so
    it is the session that is nice (sched(7), autogroup)."""
    command = host.namespace.command("chrt", "--other", "0", sys.executable, *argv)
    child = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
    with contextlib.suppress(FileNotFoundError):  # a kernel without
        Path(f"/proc/{child.pid}/autogroup").write_text(f"{nice}", encoding="ascii")
    try:
        yield
    finally:
        child.terminate()
        child.wait(LIMIT_S)


def look_on() -> None:
    """Ten pages and ten scrapers, until this process is ended; what comes is read and thrown away."""
    pages: list[socket.socket] = []
    while True:
        with contextlib.suppress(OSError):
            while len(pages) < PAGES:
                pages.append(_asked("/events"))
        for page in list(pages):
            if not _drained(page):
                pages.remove(page)
        with contextlib.suppress(OSError), _asked("/metrics") as scrape:
            while scrape.recv(65536):
                pass
        time.sleep(SCRAPE_S / SCRAPERS)


def _asked(path: str) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", PORT), 5)
    client.sendall(f"GET {path} HTTP/1.1\r\n\r\n".encode())
    return client


def _drained(page: socket.socket) -> bool:
    """Whether it is open still."""
    page.setblocking(False)
    try:
        while page.recv(65536):
            pass
    except BlockingIOError:
        return True
    except OSError:
        pass
    page.close()
    return False


def told(alone: Values, watched: Values) -> int:
    worse = 0
    print(f"{'':40} {'n':>4} {'alone':>10} {'watched':>10}  ratio (medians)")
    for row in sorted(alone.keys() & watched.keys()):
        one, other = statistics.median(alone[row]), statistics.median(watched[row])
        ratio = other / one if one else 1.0
        worse += ratio > WORSE_MAX
        verdict = "  MORE THAN A TENTH WORSE" if ratio > WORSE_MAX else ""
        print(f"{row:40} {len(alone[row]):4} {one:10.2f} {other:10.2f}  {ratio:5.2f}{verdict}")
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
