"""Folders in which root does not write, because somebody else may change them.

Who may change a folder can put a link there under the name of a file that root is about to make, or between two steps
of it, and root then writes to, or opens to all, what the link points at. So root does not work in such a folder at all:
not as a daemon in the foreground, nor as one that detaches. (kingd.service runs as the user that owns its folders.)"""

import os
import stat
from pathlib import Path


class ForeignFolder(Exception):
    """The words say what to do."""


def refuse(folder: Path, option: str) -> None:
    """ForeignFolder: this is root, and others may change the folder, or the one in which it would be made. `option` names
    another one."""
    if os.geteuid() != 0:
        return
    place = next(path for path in (folder, *folder.parents) if path.exists())
    found = place.stat()
    if not stat.S_ISDIR(found.st_mode):  # and nobody is told to change the mode of /dev/null
        raise ForeignFolder(f"{place} is no folder: choose another place with {option}")
    if found.st_uid != 0:
        user = _name(found.st_uid)
        raise ForeignFolder(
            f"{place} belongs to the user {user}, who could put links there for root to write through: run kingd as that user "
            f"(`runuser -u {user} -- kingd ...`), or choose another place with {option}"
        )
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not found.st_mode & stat.S_ISVTX:
        raise ForeignFolder(
            f"{place}: others may write to it (mode {stat.S_IMODE(found.st_mode):04o}), and put links there for root to write "
            f"through: `chmod go-w {place}` mends it, or choose another place with {option}"
        )


def _name(uid: int) -> str:
    import pwd  # only who is refused pays for it

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
