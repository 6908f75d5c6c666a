"""What goes to a client, as bytes: JSON, and a zero at its end (Varlink)."""

from collections.abc import Iterable

from kingd.control.service import JsonObject


def encoded(message: JsonObject) -> bytes:
    return as_json(message) + b"\0"


def encoded_reply(parameters: Iterable[bytes]) -> bytes:
    """Of parameters that are JSON already, in pieces: a megabyte is copied once."""
    return b"".join((b'{"parameters":', *parameters, b"}\0"))


def as_json(value: JsonObject) -> bytes:
    import json  # not at the start

    return json.dumps(value, separators=(",", ":")).encode()
