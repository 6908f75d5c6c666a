"""Elections, datagram by datagram, are what they were."""

import pytest

from tests.golden.__main__ import FOLDER, file, trace
from tests.golden.stories import STORIES


@pytest.mark.parametrize("name", STORIES)
def test_trace_is_what_it_was(name: str) -> None:
    assert trace(STORIES[name]).splitlines() == file(name).read_text().splitlines(), "run `python -m tests.golden`?"


def test_every_trace_has_its_story() -> None:
    assert {path.name for path in FOLDER.glob("*.txt")} == {file(name).name for name in STORIES}
