"""Whose permissions count when root checks a configuration: those of the user that will run the daemon."""

import os
from pathlib import Path

from kingd.config import DEFAULT_FILE

DAEMON = "kingd"
"""The user of kingd.service and of each kingd@NAME.service."""


def become_daemon(file: Path) -> bool:
    """For good, if this is root, the file is one that the units read, and their user exists. Whether it did.

    The kernel judges then whether the daemon may read its configuration and its key: nothing here has to know its rules."""
    if os.geteuid() != 0 or DEFAULT_FILE.parent not in file.absolute().parents:
        return False
    import pwd  # 1 ms, and perhaps a name service: only who is to change pays for it

    try:
        user = pwd.getpwnam(DAEMON)
        os.initgroups(DAEMON, user.pw_gid)
        os.setgid(user.pw_gid)
        os.setuid(user.pw_uid)
    except (KeyError, PermissionError):  # no such user; root without the right to change (a container)
        return False
    return True
