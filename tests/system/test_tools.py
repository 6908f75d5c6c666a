"""kingd-tools as it is installed: the packages' own files, with Debian's Python and Debian's scapy. Nothing is booted."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import require
from tests.system.images import call
from tests.tools.captures import frame, pcap, told

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]

_MODULES = Path("usr/lib/python3/dist-packages")


@pytest.fixture(scope="module")
def root(packages: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With kingd only."""
    folder = tmp_path_factory.mktemp("root")
    call(["dpkg-deb", "--extract", str(packages[0]), str(folder)])
    return folder


@pytest.fixture(scope="module")
def tools(packages: tuple[Path, Path]) -> Path:
    (package,) = packages[0].parent.glob("kingd-tools_*.deb")
    return package


def kingctl(root: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Without -I, for which these files are in the wrong place."""
    environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "PYTHONPATH": str(root / _MODULES)}
    command = ["/usr/bin/python3", "-B", "-m", "kingd.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=root, check=False)


def test_kingctl_without_the_package_names_it(root: Path, tmp_path: Path) -> None:
    run = kingctl(root, "decode", str(pcap(tmp_path / "a", [frame(told(1))])))
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr == "kingctl: decode is in a package of its own: apt install kingd-tools\n"


def test_package_depends_on_what_it_imports_and_on_this_kingd(tools: Path) -> None:
    depends = call(["dpkg-deb", "--field", str(tools), "Depends"])
    version = call(["dpkg-deb", "--field", str(tools), "Version"]).strip()
    assert f"kingd (= {version})" in depends
    assert "python3-scapy (>= 2.5)" in depends


def test_both_together_decode_with_debians_scapy(root: Path, tools: Path, tmp_path: Path) -> None:
    require(Path("/usr/lib/python3/dist-packages/scapy").is_dir(), "Debian's scapy is not installed (python3-scapy)")
    both = tmp_path / "both"
    shutil.copytree(root, both, symlinks=True)
    call(["dpkg-deb", "--extract", str(tools), str(both)])
    run = kingctl(both, "decode", str(pcap(tmp_path / "a", [frame(told(1))])))
    assert (run.returncode, run.stderr) == (0, "kingctl: 1 datagram\n")
    assert "HEARTBEAT" in run.stdout


def test_dissector_is_where_tshark_looks_for_plugins(tools: Path, tmp_path: Path) -> None:
    """That it works there is tested in tests/tools: tshark looks into no other folder when it is root who runs it."""
    require(shutil.which("tshark"), "tshark is not installed")
    call(["dpkg-deb", "--extract", str(tools), str(tmp_path / "root")])
    folders = call(["tshark", "-G", "folders"])
    (own,) = [line.split("\t")[-1] for line in folders.splitlines() if line.startswith("Global Lua Plugins")]
    (dissector,) = (tmp_path / "root").rglob("kingd.lua")
    assert dissector.parent == tmp_path / "root" / own.lstrip("/")
