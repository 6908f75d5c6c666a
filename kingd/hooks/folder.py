"""Which files of a folder are run, in which order, and why the others are not.

A hook of a runner that is root does as root whatever is written in it. So nobody else may be able to write there, or to put
something else in its place: neither into the file nor into the folder, nor into any folder above it, by every link on the way
(as StrictModes of sshd asks of keys)."""

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

_LEFTOVERS = ("~", ".swp", ".swo", ".bak", ".orig", ".rej", ".rpmsave", ".rpmnew")
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def hooks_in(folder: Path) -> tuple[list[Path], dict[Path, str]]:
    """The executables, in lexical order of their names; and what is not run, each with the reason in words."""
    try:
        found = folder.stat()
        names = sorted((file.name for file in folder.iterdir()), key=os.fsencode)
    except FileNotFoundError:
        return [], {}
    except OSError as error:
        return [], {folder: f"cannot be read: {error.strerror}"}
    if reason := _why_untrusted(found):
        return [], {folder: f"none of the hooks in it is run: {reason}"}
    for above in _above(folder.absolute()):
        if reason := _why_untrusted(above.stat(), is_above=True):
            return [], {folder: f"none of the hooks in it is run: {above}, in which it is: {reason}"}
    reasons = {folder / name: _why_not(folder / name) for name in _worth_a_word(names)}
    hooks = [file for file, reason in reasons.items() if not reason]
    return hooks, {file: reason for file, reason in reasons.items() if reason}


def _above(folder: Path) -> Iterator[Path]:
    """The folders that decide what is found under this name. (A loop of links was met before.)"""
    yield from folder.parents
    for each in (folder, *folder.parents):
        if each.is_symlink():
            yield from _above(each.parent / each.readlink())


def _worth_a_word(names: Iterable[str]) -> list[str]:
    """Not the README that comes with the folder, nor what says by its name that it is nothing."""
    return [name for name in names if not name.startswith("README") and name != ".placeholder"]


def _why_not(file: Path) -> str:
    """ "" = it is run."""
    name = file.name
    if name.startswith(".") or name.endswith(_LEFTOVERS) or ".dpkg-" in name:
        return "by its name it is what an editor or an upgrade has left"
    try:
        if file.is_symlink() and file.resolve(strict=True).parent != file.parent.resolve():
            return "it is a link out of the folder: copy the file, or put one there that calls it"
        found = file.stat()
    except (OSError, RuntimeError):  # RuntimeError: a loop of links
        return "it cannot be read"
    if not stat.S_ISREG(found.st_mode):
        return "it is no file"
    if reason := _why_untrusted(found):
        return reason
    return "" if os.access(file, os.X_OK) else "it is not executable: `chmod +x` makes it a hook"


def _why_untrusted(found: os.stat_result, *, is_above: bool = False) -> str:
    """`is_above`: in a folder like /tmp (sticky) nobody can move or replace what is another's."""
    if found.st_uid not in (0, os.geteuid()):
        return f"it belongs to uid {found.st_uid}, and must belong to root: `chown root` mends it"
    if found.st_mode & _OTHERS_WRITE and not (is_above and found.st_mode & stat.S_ISVTX):
        return f"others than its owner may write to it (mode {stat.S_IMODE(found.st_mode):04o}): `chmod go-w` mends it"
    return ""
