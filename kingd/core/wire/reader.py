"""How bodies are read, field by field, and the one way in which that fails."""

import struct
from collections.abc import Callable

from kingd.core.wire import layout

U8 = struct.Struct("!B")


class DecodeError(ValueError):
    """Not a datagram for us. `reason` is one stable word; it counts and is logged once per reason and source."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Reader:
    """Walks over a body; running off its end is a DecodeError."""

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self._at = 0

    def take(self, fields: struct.Struct) -> tuple[int, ...]:
        end = self._at + fields.size
        if end > len(self._data):
            raise DecodeError("truncated")
        values = fields.unpack_from(self._data, self._at)
        self._at = end
        return values

    def number(self, fields: struct.Struct) -> int:
        return self.take(fields)[0]

    def text(self, fits: Callable[[str], object]) -> str:
        """A text that `fits` the grammar of what it is to be."""
        size = self.number(U8)
        end = self._at + size
        if size > layout.TEXT_SIZE_MAX or end > len(self._data):
            raise DecodeError("truncated")
        raw = bytes(self._data[self._at : end])
        self._at = end
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            raise DecodeError("text") from None
        if not fits(text):
            raise DecodeError("text")
        return text


def text_of(value: str) -> bytes:
    raw = value.encode()
    assert len(raw) <= layout.TEXT_SIZE_MAX, value
    return U8.pack(len(raw)) + raw
