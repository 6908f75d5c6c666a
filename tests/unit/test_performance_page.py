"""docs/performance.md: its tables come from docs/results/bench.json, and nobody has typed a figure into them."""

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
