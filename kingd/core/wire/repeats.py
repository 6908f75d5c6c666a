"""What a follower reads most: its leader's heartbeat, the same as the last one but for its sequence number, and for the count
of members while a cluster grows.

In: bytes. Out: the heartbeat that they repeat and their own sequence number, if all else is the same and the seal is
good; then nothing needs to be decoded, and `Core.repeat` needs a fraction of the time that `Core.receive` takes.
Everything else is None, and goes the usual way. It knows nothing of who leads: that is the core's to judge."""

from kingd.core.wire.codec import ALIVE_AT, SEQUENCE_AT, key_of
from kingd.core.wire.message import Datagram, Heartbeat
from kingd.core.wire.seal import MAC_SIZE, NO_KEY, Seal
from kingd.records import replace

_BETWEEN = slice(SEQUENCE_AT.stop, ALIVE_AT.start)


class Repeats:
    """The last heartbeat that was decoded."""

    def __init__(self) -> None:
        self._beat: Datagram | None = None
        self._before = self._between = self._behind = b""  # the sequence number, and the count
        self._alive = b""
        self._size = 0
        self._end = slice(0)
        self._key_id = NO_KEY

    def remember(self, data: bytes, datagram: Datagram) -> None:
        """`data` was decoded to `datagram`."""
        if isinstance(datagram.body, Heartbeat):
            self._beat, self._key_id = datagram, key_of(data)
            self._size = len(data)
            self._end = slice(ALIVE_AT.stop, self._size - (MAC_SIZE if self._key_id == NO_KEY else 2 * MAC_SIZE))
            self._before, self._between = data[: SEQUENCE_AT.start], data[_BETWEEN]
            self._alive, self._behind = data[ALIVE_AT], data[self._end]

    def find(self, data: bytes, seal: Seal) -> tuple[Datagram, int] | None:
        """The remembered heartbeat with the count of this one, and the sequence number of this one."""
        if (
            len(data) != self._size
            or not data.startswith(self._before)
            or data[_BETWEEN] != self._between
            or data[self._end] != self._behind
            or not seal.is_whole(data)
            or not seal.is_believed(data, self._key_id)
        ):
            return None
        assert self._beat is not None
        if data[ALIVE_AT] != self._alive:
            self._beat, self._alive = _counting(self._beat, data[ALIVE_AT]), data[ALIVE_AT]
        return self._beat, int.from_bytes(data[SEQUENCE_AT], "big")


def _counting(beat: Datagram, alive: bytes) -> Datagram:
    assert isinstance(beat.body, Heartbeat)
    return Datagram(beat.header, replace(beat.body, alive=int.from_bytes(alive, "big")))
