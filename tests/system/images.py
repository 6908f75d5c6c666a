"""What the hosts are made of: the packages as `make deb` builds them, one of a lower version, and a Debian root.

The root has what the package depends on and no more, so that a forgotten dependency shows. It takes half a minute to
make and is kept between runs under a name that says what is in it; older ones go.
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path

TOP = Path(__file__).parents[2]
DEBIAN_12, DEBIAN_13 = "bookworm", "trixie"
_BOOTS = ["systemd-sysv", "iproute2"]
# Nobody reads manuals there, and without them a root is made faster. Those of kingd are installed all the same.
_LEFT_OUT = ["/usr/share/locale/*", "/usr/share/info/*"]


def build_packages(folder: Path) -> Path:
    """The .deb of kingd."""
    call([str(TOP / "packaging" / "build-deb"), str(folder)])
    return next(folder.glob("kingd_*.deb"))


def lower_version(package: Path, folder: Path) -> Path:
    """The same package under a version that the real one is an upgrade from."""
    tree = folder / "lower"
    call(["dpkg-deb", "--raw-extract", str(package), str(tree)])
    control = tree / "DEBIAN" / "control"
    control.write_text(re.sub(r"^Version: .*$", "Version: 0.0.1", control.read_text(), flags=re.MULTILINE))
    call(["dpkg-deb", "--build", "--root-owner-group", "-Znone", str(tree), str(folder / "kingd_0.0.1_all.deb")])
    shutil.rmtree(tree)
    return folder / "kingd_0.0.1_all.deb"


def debian_root(package: Path, suite: str = DEBIAN_12, *, also: tuple[str, ...] = ()) -> Path:
    """A Debian that boots and has all that `package` depends on, and `also` these packages."""
    wanted = sorted({*_BOOTS, *_depends(package), *also})
    kind = "+".join([suite, *also])
    digest = hashlib.sha256(repr((wanted, _LEFT_OUT)).encode()).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "/var/cache") / "kingd-tests"
    root = cache / f"{kind}-{digest}"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:  # another run may want the same
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not root.exists():
            for old in cache.glob(f"{kind}-*"):  # of other dependencies, or of a run that was cut short
                shutil.rmtree(old)
            _make_root(cache / f"{kind}-new", suite, wanted).rename(root)
    return root


def _make_root(root: Path, suite: str, wanted: list[str]) -> Path:
    # Nothing is lost by a power cut in the middle: a root counts when it has its final name.
    options = ["force-unsafe-io", *(f"path-exclude={pattern}" for pattern in _LEFT_OUT)]
    call(
        ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(wanted)}"]
        + [f"--dpkgopt={option}" for option in options]
        + [suite, str(root)]
    )
    return root


def _depends(package: Path) -> list[str]:
    """Names of packages, the first of alternatives, without versions and architectures."""
    field = call(["dpkg-deb", "--field", str(package), "Depends"])
    return [re.split(r"[\s:(|]", part.strip())[0] for part in field.split(",")]


def call(command: list[str]) -> str:
    run = subprocess.run(command, capture_output=True, text=True, check=False, cwd=TOP)
    assert run.returncode == 0, f"{' '.join(command)}\n{run.stdout}{run.stderr}"
    return run.stdout
