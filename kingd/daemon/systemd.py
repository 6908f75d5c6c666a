"""What systemd is told about this process: sd_notify(3) and sd_watchdog_enabled(3), without their library.

Nothing here fails or waits: a daemon that was not started by systemd, or that systemd does not listen to, elects all
the same. The caller says when; nothing here reads a clock.
"""

import os
import socket


def listens() -> bool:
    """Whether anything that is said here is heard."""
    return bool(_address())


def ready(status: str) -> None:
    _notify("READY=1", _status(status))


def status(text: str) -> None:
    """One line for `systemctl status`."""
    _notify(_status(text))


def reloading(*, monotonic_us: int) -> None:
    """A reload begins, at this CLOCK_MONOTONIC; `ready` ends it."""
    _notify("RELOADING=1", f"MONOTONIC_USEC={monotonic_us}")


def stopping() -> None:
    _notify("STOPPING=1")


def watchdog() -> None:
    _notify("WATCHDOG=1")


def watchdog_within(limit_us: int) -> None:
    """From now on `watchdog` has to come so often, whatever the unit's file says."""
    _notify(f"WATCHDOG_USEC={limit_us}", "WATCHDOG=1")


def watchdog_interval_us() -> int | None:
    """Within which time `watchdog` is expected, or None; call it twice as often."""
    interval, pid = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID", "")
    if not (interval.isascii() and interval.isdigit() and len(interval) < 20) or int(interval) == 0:
        return None
    if pid and pid != str(os.getpid()):  # meant for the process that started us
        return None
    return int(interval)


def _status(text: str) -> str:
    return f"STATUS={' '.join(text.split())}"  # a line break would begin another assignment


def _address() -> str:
    address = os.environ.get("NOTIFY_SOCKET", "")
    return address if address.startswith(("/", "@")) else ""  # else not set, or of a kind that services are not given


def _notify(*assignments: str) -> None:
    address = _address()
    if not address:
        return
    if address.startswith("@"):  # the abstract name space
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)  # a full queue loses a status line; waiting for it would lose leadership
            sender.sendto("\n".join(assignments).encode(errors="replace"), address)
    except OSError:
        return
