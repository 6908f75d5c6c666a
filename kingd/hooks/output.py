"""What a hook says, as lines of the log: each with the hook, the event and the term; not more than is good for the log."""

from kingd.log import Logger

_log = Logger("kingd.hooks")

_SIZE_MAX = 64 << 10  # bytes of one run
_LINES_MAX = 500
_LINE_SIZE_MAX = 1000  # bytes; what is longer goes on in the next line


class Output:
    def __init__(self, tag: str) -> None:
        self._tag = tag
        self._rest = b""  # of a line that has not ended
        self._size = self._lines = 0

    def _is_full(self) -> bool:
        return self._size >= _SIZE_MAX or self._lines >= _LINES_MAX

    def take(self, data: bytes) -> None:
        if self._is_full():
            return
        data = data[: _SIZE_MAX - self._size]
        self._size += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._tell(line)
        while len(self._rest) >= _LINE_SIZE_MAX:
            self._tell(self._rest[:_LINE_SIZE_MAX])
            self._rest = self._rest[_LINE_SIZE_MAX:]
        if self._is_full():
            self.end()
            _log.warning("%s: it says more than fits in the log; the rest of this run is left out", self._tag)

    def end(self) -> None:
        """Nothing more comes."""
        rest, self._rest = self._rest, b""
        self._tell(rest)

    def _tell(self, line: bytes) -> None:
        for begin in range(0, len(line), _LINE_SIZE_MAX):
            if self._lines < _LINES_MAX:
                self._lines += 1
                _log.info("%s: %s", self._tag, line[begin : begin + _LINE_SIZE_MAX].decode(errors="replace"))
