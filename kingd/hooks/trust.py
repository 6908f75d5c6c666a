"""Whether somebody else could have written what is about to run as this user, or could put something else in its place.

What runs as root does as root whatever is written in it. So nobody else may be able to write there: neither into the file nor
into any folder above it, by every link on the way (as StrictModes of sshd asks of keys)."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def why_untrusted(path: Path) -> str:
    """Of a file or a folder: "" = nobody else decides what is found under this name. OSError: it cannot be looked at."""
    if reason := why_others_may_change(path.stat()):
        return reason
    for place, found in _above(path.absolute()):
        if reason := why_others_may_change(found, is_above=True):
            return f"{place}, {'a link on the way' if stat.S_ISLNK(found.st_mode) else 'in which it is'}: {reason}"
    return ""


def why_others_may_change(found: os.stat_result, *, is_above: bool = False) -> str:
    """Of one file, folder or link. `is_above`: in a folder like /tmp (sticky) nobody can move or replace what is another's."""
    if found.st_uid not in (0, os.geteuid()):
        return f"it belongs to uid {found.st_uid}, and must belong to root: `chown root` mends it"
    if stat.S_ISLNK(found.st_mode):  # its mode says nothing
        return ""
    if found.st_mode & _OTHERS_WRITE and not (is_above and found.st_mode & stat.S_ISVTX):
        return f"others than its owner may write to it (mode {stat.S_IMODE(found.st_mode):04o}): `chmod go-w` mends it"
    return ""


def _above(path: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """The folders, and the links on the way, that decide what is found under this name. (A loop of links was met before.)"""
    for folder in path.parents:
        yield folder, folder.stat()
    for each in (path, *path.parents):
        if each.is_symlink():
            yield each, each.lstat()
            yield from _above(each.parent / each.readlink())
