"""docs/evidence.md has a row for each fault that was found from outside on commit c121287, and the tests it names exist."""

import re
from pathlib import Path

TOP = Path(__file__).parents[2]
SECTION = (TOP / "docs" / "evidence.md").read_text().partition("## What was found from outside on c121287\n")[2]
ROWS = re.findall(r"^\| (\d+) \| .* \| (.*) \|$", SECTION.partition("\n## ")[0], re.MULTILINE)


def test_every_number_has_its_tests() -> None:
    assert [int(number) for number, _ in ROWS] == list(range(1, 39))


def test_tests_that_are_named_are_there() -> None:
    for number, cell in ROWS:
        source = ""
        named = re.findall(r"`(\w+/test_\w+\.py)?(?:::(test_\w+))?`", cell)
        assert named, number
        for file, test in named:
            source = (TOP / "tests" / file).read_text() if file else source
            assert f"def {test or 'test_'}" in source, (number, file, test)
