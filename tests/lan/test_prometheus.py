"""Debian's Prometheus scrapes three hosts: the overlap alert fires after a split that is shorter than the time between two
scrapes, and not after a hand-over."""

import json
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from shutil import which
from typing import Any

import pytest

from tests.conftest import require
from tests.lan.host import LIMIT_S, Host, until
from tests.lan.network import Lan

pytestmark = [pytest.mark.lan, pytest.mark.timeout(240)]
RULES = Path(__file__).parents[2] / "packaging" / "prometheus" / "kingd.rules.yml"
SCRAPE_S = 5
SPLIT_S = 3


@contextmanager
def running(host: Host, *argv: str) -> Iterator[None]:
    """A program on that host, which ends when it is told."""
    with (host.folder / "other.log").open("ab") as log:
        child = subprocess.Popen(host.namespace.command(*argv), stdout=log, stderr=log)
    try:
        yield
    finally:
        child.terminate()
        child.wait(LIMIT_S)


class Prometheus:
    """On a host of its own."""

    def __init__(self, host: Host, targets: list[str]) -> None:
        self._host = host
        config = {
            "global": {"scrape_interval": f"{SCRAPE_S}s", "evaluation_interval": "1s"},
            "rule_files": [str(RULES)],
            "scrape_configs": [{"job_name": "kingd", "static_configs": [{"targets": targets}]}],
        }
        file = host.folder / "prometheus.yml"
        file.write_text(json.dumps(config), encoding="utf-8")  # JSON is YAML, too
        self.argv = (
            *("prometheus", f"--config.file={file}", f"--storage.tsdb.path={host.folder / 'tsdb'}"),
            *("--web.listen-address=127.0.0.1:9090", "--log.level=warn"),
        )

    def _get(self, path: str) -> Any:
        def get() -> Any:
            with urllib.request.urlopen(f"http://127.0.0.1:9090/api/v1/{path}", timeout=LIMIT_S) as answer:
                return json.load(answer)["data"]

        return self._host.namespace.inside(get)

    def value(self, query: str) -> float:
        """Of its first series; 0 where there is none, or nobody answers yet."""
        try:
            found = self._get(f"query?query={urllib.parse.quote(query)}")["result"]
        except urllib.error.HTTPError as error:  # it starts
            error.close()
            return 0.0
        except OSError:
            return 0.0
        return float(found[0]["value"][1]) if found else 0.0

    def alerts(self) -> set[str]:
        """Those that fire."""
        return {each["labels"]["alertname"] for each in self._get("alerts")["alerts"] if each["state"] == "firing"}

    def has_scraped_all(self, since_s: float) -> bool:
        return self.value(f"count(timestamp(kingd_up) > {since_s})") == 3


def test_overlap_alert_fires_after_a_short_split_and_not_after_a_hand_over(lan: Lan) -> None:
    require(which("prometheus"), "Prometheus is needed (Debian: prometheus)")
    a, b, c = hosts = lan.trio()
    watcher = lan.host("watcher")
    prometheus = Prometheus(watcher, [f"{host.address}:9466" for host in hosts])
    with ExitStack() as stack:
        for host in hosts:
            serve = ("-m", "kingd.cli", "--socket", str(host.socket), "serve", "--listen", f"{host.address}:9466")
            stack.enter_context(running(host, sys.executable, *serve))
        stack.enter_context(running(watcher, *prometheus.argv))
        _scraped(prometheus)
        _scraped(prometheus)  # what has grown takes two
        assert prometheus.value("sum(kingd_is_leader)") == 1
        assert prometheus.value("sum(kingd_members{state='alive'})") == 9

        assert a.kingctl("step-down", "--for", "1s").returncode == 0
        _scraped(prometheus)
        lan.until_led_by("a")
        _scraped(prometheus)
        assert prometheus.value("sum(kingd_leader_changes_total{reason='step-down'})") == 3
        assert "KingdOverlap" not in prometheus.alerts()

        lan.split([a], [b, c])
        lan.until_led_by("b", [b, c])
        time.sleep(SPLIT_S)
        lan.heal()
        lan.until_led_by("a")
        until(
            lambda: "KingdOverlap" in prometheus.alerts(), limit_s=6 * SCRAPE_S, what=lambda: str(prometheus.alerts())
        )
        until(lambda: prometheus.value("max(kingd_overlap_seconds_total)") > SPLIT_S / 2, limit_s=6 * SCRAPE_S)


def _scraped(prometheus: Prometheus) -> None:
    """Each host once more."""
    now_s = time.time()
    until(lambda: prometheus.has_scraped_all(now_s), limit_s=60, what="no scrape of all")
