"""The explorer's processes stay for all tests here: making them anew for each would take longer than most scopes."""

import pytest


@pytest.fixture(autouse=True)
def no_thread_is_left() -> None:
    """But those of that pool, which concurrent.futures ends with this process."""
