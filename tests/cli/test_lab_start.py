"""What a lab that was started can be relied on for."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from kingd.control.client import call
from kingd.lab.cluster import Cluster
from kingd.lab.folder import LabError

LATE = """
import sys, time
if "kingd.lab.nursery" in sys.orig_argv:
    from kingd.control.server import ControlServer
    start = ControlServer.start

    def late(self):
        time.sleep(0.5)
        start(self)

    ControlServer.start = late
"""


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """One daemon, which does not run."""
    labs = tmp_path / "labs"
    labs.mkdir(mode=0o700)
    monkeypatch.setenv("KINGD_LAB_DIR", str(labs))
    found = Cluster.create("lab", nodes=1, profile="lan")
    yield found
    found.stop()


def test_daemon_that_was_started_answers(lab: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long it takes to listen."""
    (tmp_path / "sitecustomize.py").write_text(LATE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    lab.start("box1")
    assert call(lab.nodes[0].socket, "Status")["version"] == 1


def test_daemon_that_ends_at_once_says_why(lab: Cluster) -> None:
    (lab.nodes[0].folder / "kingd.toml").write_text("priority = -1\n")
    with pytest.raises(LabError, match=r"(?s)box1 ended at once; its log, .*priority"):
        lab.start("box1")
