"""The floating addresses of this host, as kingd-vip tells of them in its folder: kingd itself has no part in them."""

import json
from pathlib import Path

from kingd.control.answer import number, rows, text
from kingd.control.client import BadAnswer
from kingd.control.target import DEFAULT_SOCKET

STATUS_FILE = Path("/run/kingd-vip/status.json")


def floating_facts(socket: str, file: Path = STATUS_FILE) -> list[tuple[str, str]]:
    """None where kingd-vip does not run: systemd removes the file with it. It is there for the default daemon only."""
    if socket != DEFAULT_SOCKET:
        return []
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
        return [("address", _words(row)) for row in rows(told, "addresses")]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, AttributeError, BadAnswer) as error:
        return [("address", f"not known: {file}: {error}")]


def _words(row: dict[str, object]) -> str:
    words = f"{text(row, 'address')} on {text(row, 'interface')}: {text(row, 'state')}"
    if row.get("why"):
        words += f": {row['why']}"
    counted = {"was gone": number(row, "lost"), "claimed by another host": number(row, "conflicts")}
    counts = ", ".join(f"{what} {count} times" for what, count in counted.items() if count)
    return f"{words} ({counts})" if counts else words
