"""docs/scale.md: its tables come from simulated.json and costs.json in docs/results, and nobody typed a figure into them."""

from benchmarks import costs, simulated
from benchmarks.scale_page import PAGE, render


def test_page_is_what_the_results_say() -> None:
    text = PAGE.read_text(encoding="utf-8")
    rows, known = simulated.load(simulated.RESULTS), costs.load(costs.RESULTS)
    shown = render(text, rows, known, costs.machine_of(costs.RESULTS))
    assert shown == text, "run `.venv/bin/python -m benchmarks.scale_page`"
