"""The Grafana dashboard: each query is PromQL, and asks for what kingd tells."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kingd.cli.main import run
from tests.cli.fake_kingd import FakeKingd
from tests.cli.test_promtool import promtool

DASHBOARD: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "packaging" / "grafana" / "kingd-dashboard.json").read_text(encoding="utf-8")
)
VARIABLES = {"$__rate_interval": "5m", "$__range": "6h", "$instance": ".*", "$cluster": "default"}


def queries() -> Iterator[str]:
    for panel in DASHBOARD["panels"]:
        yield from (target["expr"] for target in panel.get("targets", []))
    yield from (each["expr"] for each in DASHBOARD["annotations"]["list"])


def filled(query: str) -> str:
    for name, value in VARIABLES.items():
        query = query.replace(name, value)
    assert "$" not in query
    return query


def test_each_metric_is_one_that_kingctl_tells(kingd: FakeKingd, capfd: pytest.CaptureFixture[str]) -> None:
    asked = {name for query in queries() for name in re.findall(r"\bkingd_\w+", query)}
    variables = " ".join(str(each["query"]) for each in DASHBOARD["templating"]["list"])
    asked |= set(re.findall(r"\bkingd_\w+", variables))
    assert run(["metrics"]) == 0
    told = set(re.findall(r"^(kingd_\w+)", capfd.readouterr().out, re.MULTILINE))
    assert asked <= told
    assert len(asked) >= 18


def test_each_query_is_promql(tmp_path: Path) -> None:
    rules = [{"record": f"query_{number}", "expr": filled(query)} for number, query in enumerate(queries())]
    file = tmp_path / "rules.yml"
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}), encoding="utf-8")
    assert f"{len(rules)} rules found" in promtool("check", "rules", str(file))


def test_panels_have_their_own_places_and_begin_with_who_led() -> None:
    panels = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
    assert panels[0]["type"] == "state-timeline"
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
