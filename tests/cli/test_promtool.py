"""Prometheus' own tool accepts the alert rules, their tests pass, and what kingctl metrics prints is as it wants it."""

import subprocess
from pathlib import Path
from shutil import which

import pytest

from kingd.cli.main import run
from tests.cli.fake_kingd import FakeKingd
from tests.conftest import require
from tests.recipes import recipe

RULES = Path(__file__).parents[2] / "packaging" / "prometheus"


def promtool(*arguments: str, stdin: str = "") -> str:
    require(which("promtool"), "promtool is needed (Debian: prometheus)")
    done = subprocess.run(
        ["promtool", *arguments], cwd=RULES, input=stdin, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_rules_are_accepted() -> None:
    assert "8 rules found" in promtool("check", "rules", "--lint-fatal", "kingd.rules.yml")


def test_rules_fire_when_they_should_and_not_else() -> None:
    assert "SUCCESS" in promtool("test", "rules", "kingd.rules.test.yml")


def test_what_is_served_is_accepted(kingd: FakeKingd, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["metrics"]) == 0
    assert promtool("check", "metrics", stdin=capfd.readouterr().out) == ""


def test_configuration_of_the_recipe_is_one(tmp_path: Path) -> None:
    (block,) = recipe("Be called when nobody leads, or two do")
    (tmp_path / "prometheus.yml").write_text(block.text)
    (tmp_path / "kingd.rules.yml").write_text((RULES / "kingd.rules.yml").read_text())
    assert "rules found" in promtool("check", "config", str(tmp_path / "prometheus.yml"))
