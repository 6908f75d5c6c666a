"""Which daemon is asked, and for how long. Used before click is imported, so: no `re`, no `pathlib`."""

import os

DEFAULT_SOCKET = "/run/kingd/control.sock"
DEFAULT_TIMEOUT_S = 5.0
LOOK_S = 0.5  # who does not wait asks all the same, and the daemon has that long for what it can say at once

_UNITS_S = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_YEAR_S = 366 * 86400.0


def socket_path(socket: str | None, instance: str | None) -> str:
    if socket:
        return socket
    from_environment = os.environ.get("KINGCTL_SOCKET")
    if from_environment:
        return from_environment
    return f"/run/kingd-{instance}/control.sock" if instance else DEFAULT_SOCKET


def unit(socket: str) -> str:
    """The systemd unit whose daemon has this control socket, as far as its place tells."""
    folder = socket.removeprefix("/run/kingd-").removesuffix("/control.sock")
    return f"kingd@{folder}" if socket == f"/run/kingd-{folder}/control.sock" and is_instance(folder) else "kingd"


def is_instance(name: str) -> bool:
    """A name that systemd gives to `kingd@NAME.service`, and no way to another folder."""
    return bool(name) and all(c.isascii() and (c.isalnum() or c in "._-:") for c in name) and not name.startswith(".")


def seconds(text: str) -> float:
    """ "5s", "200ms", "1m" or plain "5", a year at most; "none" is no limit. ValueError if it is none of these."""
    if text == "none":
        return float("inf")
    number = text.rstrip("umsh")
    unit_s = _UNITS_S[text[len(number) :] or "s"] if text[len(number) :] in (*_UNITS_S, "") else 0.0
    if unit_s == 0.0 or not number or not all(c in "0123456789." for c in number):
        raise ValueError(text)
    found = float(number) * unit_s
    if found > _YEAR_S:  # and what counts in the kernel's units fits into them
        raise ValueError(text)
    return found
