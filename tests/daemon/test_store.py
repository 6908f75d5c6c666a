"""What a process leaves behind of its state folder. What it keeps there is in tests/unit/test_store.py."""

import json
import subprocess
import sys
from pathlib import Path

from kingd.daemon.store import Owner, Store
from tests.daemon.running import Daemon

BOX1 = Owner("box1", "lan")
TOP = Path(__file__).parents[2]


def test_lock_ends_with_the_process_even_without_close(tmp_path: Path) -> None:
    script = "import os, sys; from pathlib import Path; from kingd.daemon.store import Owner, Store\n"
    script += "Store.open(Path(sys.argv[1]), Owner('box1', 'lan')); os._exit(9)"
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], cwd=TOP, check=False)
    assert (tmp_path / "lock").read_text().strip().isdigit()
    again = Store.open(tmp_path, BOX1)
    assert again.warnings == []
    again.close()


def test_renamed_voter_is_told_that_it_has_promised_nothing_yet(daemon: Daemon) -> None:
    daemon.config.write_text('quorum.voters = ["box1"]\n')
    daemon.start()
    daemon.until_leader("box1")
    assert daemon.stop()[0] == 0
    assert json.loads((daemon.folder / "state" / "state.json").read_text())["hold_us"] > 0
    daemon.name = "box2"
    daemon.start()
    code, said = daemon.stop()
    assert code == 0
    assert f"tells what box1 of the cluster {daemon.cluster} has promised, and this host is box2 of" in said
