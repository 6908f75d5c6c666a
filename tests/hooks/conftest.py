"""A runner beside a fake kingd that follows box1."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.fake_kingd import BOX1, status
from tests.hooks.rig import Kingd, Rig, changed, kingd_at, rig_in


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with rig_in(tmp_path) as rig:
        yield rig


@pytest.fixture
def kingd(rig: Rig) -> Iterator[Kingd]:
    """It follows box1."""
    with kingd_at(rig.socket, changed(1), status(role="follower", leader=BOX1)) as kingd:
        yield kingd
