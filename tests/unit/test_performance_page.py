"""docs/performance.md: its tables come from docs/results/bench.json, and nobody has typed a figure into them."""

from dataclasses import replace

from benchmarks.bars import beside_peers
from benchmarks.measured import Measured, load, machine_of
from benchmarks.page import PAGE, RESULTS, render


def test_page_is_what_the_results_say() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert render(text, load(RESULTS), machine_of(RESULTS)) == text, "run `.venv/bin/python -m benchmarks.page`"


def test_bar_is_judged_by_the_named_figure() -> None:
    values = [1.0, 2.0, 3.0, 100.0]
    assert Measured(system="x", row="y", unit="ms", values=values, bar=2.5).is_met
    assert not Measured(system="x", row="y", unit="ms", values=values, bar=2.5, judged="max").is_met


def test_p95_is_a_measured_value() -> None:
    measured = Measured(system="x", row="y", unit="ms", values=list(range(1, 21)))
    assert measured.statistics == {"min": 1, "median": 10.5, "p95": 19, "max": 20}


def test_bar_beside_a_peer_is_the_least_of_what_the_peers_took() -> None:
    ours = Measured(system="kingd", row="cold start", unit="ms", values=[600.0])
    peers = [replace(ours, system=name, values=[ms]) for name, ms in _PEERS.items()]
    (judged,) = beside_peers([ours, *peers])
    assert (judged.bar, judged.is_met, judged.values) == (366.0, False, [600.0])
    assert [of.bar for of in beside_peers([ours, peers[0]])] == [None]
    assert [of.bar for of in beside_peers([ours, *(replace(peer, when="2026-01-01") for peer in peers)])] == [None]


_PEERS = {"etcd": 411.0, "keepalived-0.1": 366.0, "keepalived-0.01": 48.0}
