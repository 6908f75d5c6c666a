"""The alert rules speak of metrics that there are. When each fires: packaging/prometheus/kingd.rules.test.yml, by promtool."""

import re
from pathlib import Path

TOP = Path(__file__).parents[2]
RULES = (TOP / "packaging" / "prometheus" / "kingd.rules.yml").read_text()


def test_each_metric_is_one_that_is_told() -> None:
    told = set(re.findall(r'"(kingd_\w+)"', (TOP / "kingd" / "web" / "exposition.py").read_text()))
    named = {word for line in re.findall(r"expr: (.*)", RULES) for word in re.findall(r"kingd_\w+", line)}
    assert {word.removesuffix("_total") for word in named} <= told
    assert len(named) >= 8


def test_each_alert_says_what_to_do() -> None:
    alerts = RULES.split("- alert: ")[1:]
    assert len(alerts) == 8
    assert not [alert.split()[0] for alert in alerts if "summary: " not in alert or "action: " not in alert]
