"""Every scope: all that can happen in it is visited, and no invariant is broken anywhere."""

import pytest

from kingd.explorer.scopes import SCOPES
from tests.model.explored import begin, explored

pytestmark = [pytest.mark.model, pytest.mark.timeout(600)]


@pytest.fixture(scope="module", autouse=True)
def _all_at_once() -> None:
    for scope in SCOPES.values():
        begin(scope)


@pytest.mark.parametrize("name", SCOPES)
def test_scope(name: str) -> None:
    assert explored(SCOPES[name]).states > 1
