"""What a process leaves behind of its state folder. What it keeps there is in tests/unit/test_store.py."""

import subprocess
import sys
from pathlib import Path

from kingd.daemon.store import Store

TOP = Path(__file__).parents[2]


def test_lock_ends_with_the_process_even_without_close(tmp_path: Path) -> None:
    script = "import os, sys; from pathlib import Path; from kingd.daemon.store import Store\n"
    script += "Store.open(Path(sys.argv[1])); os._exit(9)"
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], cwd=TOP, check=False)
    assert (tmp_path / "lock").read_text().strip().isdigit()
    again = Store.open(tmp_path)
    assert again.warnings == []
    again.close()
