"""docs/results/README.md names every file that long runs have left there, and a page that cites it."""

import re
from pathlib import Path

RESULTS = Path(__file__).parents[2] / "docs" / "results"
ROWS = [line for line in (RESULTS / "README.md").read_text().splitlines() if line.startswith("| `")]


def test_every_file_is_named() -> None:
    named = [name for row in ROWS for name in re.findall(r"`([\w.]+)`", row.split(" | ")[0])]
    assert sorted(named) == sorted(path.name for path in RESULTS.iterdir() if path.name != "README.md")


def test_every_picture_is_on_the_page_that_is_said_to_cite_it() -> None:
    for row in ROWS:
        page = re.findall(r"\(\.\./([\w.]+)\)", row)[0]
        for picture in re.findall(r"`([\w.]+\.svg)`", row.split(" | ")[0]):
            assert f"](results/{picture})" in (RESULTS.parent / page).read_text()
