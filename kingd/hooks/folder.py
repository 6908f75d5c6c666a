"""Which files of a folder are run, in which order, and why the others are not.

No hook is run that somebody else could have written, or put in its place (`trust.py`)."""

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from kingd.hooks.trust import why_others_may_change, why_untrusted

_LEFTOVERS = ("~", ".swp", ".swo", ".bak", ".orig", ".rej", ".rpmsave", ".rpmnew")


def hooks_in(folder: Path) -> tuple[list[Path], dict[Path, str]]:
    """The executables, in lexical order of their names; and what is not run, each with the reason in words."""
    try:
        reason = why_untrusted(folder)
        names = sorted((file.name for file in folder.iterdir()), key=os.fsencode)
    except FileNotFoundError:
        return [], {}
    except OSError as error:
        return [], {folder: f"cannot be read: {error.strerror}"}
    if reason:
        return [], {folder: f"none of the hooks in it is run: {reason}"}
    reasons = {folder / name: _why_not(folder / name) for name in _worth_a_word(names)}
    hooks = [file for file, reason in reasons.items() if not reason]
    return hooks, {file: reason for file, reason in reasons.items() if reason}


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
    if reason := why_others_may_change(found):
        return reason
    return "" if os.access(file, os.X_OK) else "it is not executable: `chmod +x` makes it a hook"
