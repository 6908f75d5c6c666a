"""Where labs live: a folder that belongs to us and to nobody else. What is run from it, and signalled by what is in
it, is trusted.
"""

import os
import stat
from pathlib import Path

DEFAULT_LAB = "lab"


class LabError(Exception):
    """What the user must know or change."""


def root() -> Path:
    """The folder of all labs, made if it is missing."""
    chosen = os.environ.get("KINGD_LAB_DIR")
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if chosen:
        path = Path(chosen).absolute()
    elif runtime:
        path = Path(runtime) / "kingd-lab"
    else:
        path = Path(f"/tmp/kingd-lab-{os.getuid()}")  # noqa: S108 - its owner is checked below
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = path.lstat()
    except OSError as error:
        raise LabError(
            f"cannot make the folder for labs {path}: {error.strerror}; choose another with $KINGD_LAB_DIR"
        ) from error
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o022:
        raise LabError(
            f"{path} is not ours alone (owner, or writable by others); choose another folder with $KINGD_LAB_DIR"
        )
    return path
