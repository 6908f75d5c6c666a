"""The checkers, run as tests: whoever runs pytest has run them."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import require

TOP = Path(__file__).parents[1]
CHECKS = ["ruff check --output-format concise", "ruff format --check --output-format concise", "mypy"]


@pytest.mark.timeout(300)  # mypy with a cold cache on a slow host
@pytest.mark.parametrize("command", CHECKS)
def test_checker_finds_nothing(command: str) -> None:
    tool, *arguments = command.split()
    require(importlib.util.find_spec(tool), f"{tool} is not installed")
    run = subprocess.run([sys.executable, "-m", tool, *arguments], cwd=TOP, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        pytest.fail(f"{command}\n{run.stdout}{run.stderr}", pytrace=False)
