"""What every test may use: `require`, for a prerequisite that this host may lack."""

import os

import pytest
from hypothesis import settings

# How long an example takes says more about the host than about kingd; pytest-timeout ends what hangs.
settings.register_profile("kingd", deadline=None)
settings.load_profile("kingd")


def require(condition: object, reason: str) -> None:
    """Skip unless `condition`; fail instead with KINGD_REQUIRE_ALL=1, as in CI, so that nothing goes untested there."""
    if condition:
        return
    if os.environ.get("KINGD_REQUIRE_ALL") == "1":
        pytest.fail(f"KINGD_REQUIRE_ALL=1, but {reason}", pytrace=False)
    pytest.skip(reason)
