"""Lines with fields, to the journal itself: `journalctl KINGD_EVENT=deposed`. Nothing else needs more than stderr.

systemd's own protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL): a datagram to a Unix socket. No line is waited for."""

import os
import socket
from collections.abc import Mapping

SOCKET = "/run/systemd/journal/socket"
MESSAGE_ID = "c5d1a7f0b7b94be29a3f1d0c7a6e5466"
"""Of every event: journalctl MESSAGE_ID=..."""


def takes(message: str, priority: int, fields: Mapping[str, object], *, path: str = SOCKET) -> bool:
    """Whether the journal has got this line. `priority`: as syslog(3) has it."""
    all_fields: dict[str, object] = {
        "MESSAGE": message,
        "PRIORITY": priority,
        "MESSAGE_ID": MESSAGE_ID,
        "SYSLOG_IDENTIFIER": "kingd",
        "SYSLOG_PID": os.getpid(),
    }
    all_fields |= {name.upper(): value for name, value in fields.items() if value != ""}
    data = "".join(f"{name}={_line(value)}\n" for name, value in all_fields.items()).encode()
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC) as out:
            return out.sendto(data, path) == len(data)
    except OSError:  # not there, or it does not keep up
        return False


def _line(value: object) -> str:
    """Names come from other hosts: a field ends with its line."""
    text = str(value)
    return text if text.isprintable() else "".join(each if each.isprintable() else "\ufffd" for each in text)
