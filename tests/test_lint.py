"""The checkers, run as tests: whoever runs pytest has run them."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import require

TOP = Path(__file__).parents[1]
FOLDERS = ("benchmarks", "docs", "kingd", "tests")
LINES_MAX = 350
# Those that are longer, with their present length. The list only shrinks: split a file, and take its line out.
LONGER = {
    "tests/cli/test_kingctl.py": 454,
    "tests/daemon/test_runtime.py": 469,
    "tests/lan/test_quorum.py": 433,
    "tests/unit/test_core_contact.py": 492,
    "tests/unit/test_core_following.py": 454,
    "tests/unit/test_core_handover.py": 689,
    "tests/unit/test_core_leading.py": 407,
    "tests/unit/test_core_quorum.py": 520,
    "tests/unit/test_core_voting.py": 397,
    "tests/unit/test_core_will.py": 399,
}
SLACK = 5
CHECKS = ["ruff check --output-format concise", "ruff format --check --output-format concise", "mypy"]


@pytest.mark.timeout(300)  # mypy with a cold cache on a slow host
@pytest.mark.parametrize("command", CHECKS)
def test_checker_finds_nothing(command: str) -> None:
    tool, *arguments = command.split()
    require(importlib.util.find_spec(tool), f"{tool} is not installed")
    run = subprocess.run([sys.executable, "-m", tool, *arguments], cwd=TOP, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        pytest.fail(f"{command}\n{run.stdout}{run.stderr}", pytrace=False)


def test_no_file_grows_beyond_what_one_idea_takes() -> None:
    files = [path for folder in FOLDERS for path in (TOP / folder).rglob("*.py")]
    lines = {path.relative_to(TOP).as_posix(): len(path.read_text().splitlines()) for path in files}
    wrong = [
        f"{name} has {count} lines, {most} are allowed: split it, there are two ideas in it"
        for name, count in lines.items()
        if count > (most := LONGER.get(name, LINES_MAX))
    ]
    for name, most in LONGER.items():
        count = lines.get(name, 0)
        if count <= LINES_MAX:
            wrong.append(f"{name} has {count} lines: take it out of LONGER")
        elif count < most - SLACK:
            wrong.append(f"{name} has {count} lines: lower its {most} in LONGER to that")
    if wrong:
        pytest.fail("\n".join(sorted(wrong)), pytrace=False)
