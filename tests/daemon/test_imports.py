"""Every module of kingd can be imported first. What may import what is in tests/unit/test_layering.py."""

import os
import subprocess
import sys
from pathlib import Path

from tests.unit.test_layering import SOURCES, TOP

IMPORT_EACH_AFRESH = """
import importlib, sys
for module in sys.argv[1:]:
    for name in [name for name in sys.modules if name.partition(".")[0] == "kingd"]:
        del sys.modules[name]
    try:
        importlib.import_module(module)
    except ImportError as error:
        print(f"{module}: {error}")
"""


def test_every_module_can_be_imported_first(tmp_path: Path) -> None:
    """A circular import shows only when its wrong end comes first; one process, because starting 50 takes seconds."""
    modules = [module for module in SOURCES if not module.endswith(".__main__")]
    command = [sys.executable, "-c", IMPORT_EACH_AFRESH, *modules]
    # compiled once, whatever the host thinks of compiled files in the tree
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(tmp_path)}
    run = subprocess.run(command, cwd=TOP, env=environment, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
