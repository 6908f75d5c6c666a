"""What hosts install is kingd without what is only there to test it: what setuptools lays out here, `make wheel`, `make
install` and the Debian package all put in."""

import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).parents[1]
BUILD = "import setuptools; setuptools.setup()"


def test_hosts_install_neither_the_simulator_nor_the_explorer(tmp_path: Path) -> None:
    command = [sys.executable, "-c", BUILD, "--quiet", "build_py", "--build-lib", str(tmp_path)]
    subprocess.run(command, cwd=TOP, check=True)
    laid_out = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    kinds = (".py", ".typed", ".varlink", ".html", ".css", ".js")
    in_the_tree = {str(path.relative_to(TOP)) for path in TOP.glob("kingd/**/*") if path.suffix in kinds}
    left_out = {name for name in in_the_tree if name.startswith(("kingd/sim/", "kingd/explorer/"))}
    assert left_out
    assert laid_out == in_the_tree - left_out
