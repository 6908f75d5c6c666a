"""A host whose /etc holds what a test wants, and whose /run and /var/lib hold nothing.

Commands run in namespaces of their own, with a layer over the real /etc. What they leave running ends with them."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from tests.conftest import require

TOP = Path(__file__).parents[2]
PYTHON = sys.executable
UID = GID = 64321  # of the user kingd there; nobody's here
_ENTER = """
set -e
ip link set lo up
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /var/lib
mount -t tmpfs tmpfs /mnt
mkdir /mnt/upper /mnt/work
mount -t overlay overlay -o lowerdir=/etc,upperdir=/mnt/upper,workdir=/mnt/work /etc
rm -rf /etc/kingd /etc/passwd- /etc/group-
cp -a {files}/* /etc
sed -i /^kingd:/d /etc/passwd /etc/group
{account}
cd {top}
"""
_UNSHARE = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
_ACCOUNT = f"""
echo kingd:x:{UID}:{GID}::/var/lib/kingd:/usr/sbin/nologin >>/etc/passwd
echo kingd:x:{GID}: >>/etc/group
"""


def run(script: str, files: Path, *, has_account: bool = True) -> subprocess.CompletedProcess[str]:
    """A shell script, where `kingctl` and `kingd` are those of this tree. `files`: a folder with what its /etc has more."""
    require(os.geteuid() == 0, "an /etc of its own needs root")
    require(shutil.which("unshare"), "an /etc of its own needs unshare (Debian: util-linux)")
    enter = _ENTER.format(
        files=shlex.quote(str(files)), account=_ACCOUNT if has_account else "", top=shlex.quote(str(TOP))
    )
    commands = f'kingctl() {{ {PYTHON} -m kingd.cli "$@"; }}\nkingd() {{ {PYTHON} -m kingd "$@"; }}\n'
    return subprocess.run(
        [*_UNSHARE, "sh", "-c", enter + "set +e\n" + commands + script],
        capture_output=True, text=True, check=False, timeout=50,
    )  # fmt: skip
