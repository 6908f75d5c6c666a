"""What somebody without the key reads in a datagram that passes: a decoder of its own, by `struct`, written from
docs/protocol.md 3 and from nothing else.
"""

import struct
from typing import NamedTuple

HEARTBEAT, PROBE, PROBE_ACK, CLAIM, GRANT, REFUSE, RESIGN, PING, PONG, OFFER, READY, SURVEY, REPORT = range(2, 15)
ACK = 17

_FIELDS = (
    ("magic", "2s"), ("version", "B"), ("type", "B"), ("flags", "H"), ("length", "H"), ("cluster", "Q"),
    ("source", "Q"), ("destination", "Q"), ("session", "Q"), ("receiver", "Q"), ("sequence", "Q"), ("leader_term", "Q"),
    ("leader_node", "Q"), ("floor_term", "Q"), ("floor_node", "Q"), ("priority", "H"), ("list_number", "H"),
    ("list_term", "Q"), ("voters", "I"), ("wanted", "I"), ("role", "B"), ("key", "B"), ("mode", "B"), ("reserved", "B"),
)  # fmt: skip
"""3.1, in its order: the one place that a change of the header changes."""
_HEADER = struct.Struct("!" + "".join(code for _, code in _FIELDS))
_AT = {name: number for number, (name, _) in enumerate(_FIELDS)}
_READ = tuple(_AT[name] for name in ("type", "source", "destination", "session", "sequence"))

ONE, _TERM_AND_ATTEMPT, _NONCE, _HEARD, _BALLOT = map(struct.Struct, ("!Q", "!QI", "!I", "!4xQ", "!QQ"))

Number = tuple[int, ...]


class Overheard(NamedTuple):
    """One datagram, and what its header says."""

    type: int
    source: int
    destination: int  # 0 = whoever hears it
    session: int
    sequence: int
    data: bytes

    def number(self, layout: struct.Struct | None) -> Number:
        """What the body begins with; without a layout its own sequence number."""
        return (self.sequence,) if layout is None else layout.unpack_from(self.data, _HEADER.size)


def read(data: bytes) -> Overheard | None:
    """None: not of kingd."""
    if len(data) < _HEADER.size or data[:2] != b"Kg":
        return None
    fields = _HEADER.unpack_from(data)
    kind, source, destination, session, sequence = (fields[at] for at in _READ)
    return Overheard(kind, source, destination, session, sequence, data)


class Answer(NamedTuple):
    """An answer fits a question if both have the same number. None: the question's sequence number."""

    question: int
    asked: struct.Struct | None
    answer: int
    answered: struct.Struct


ANSWERS = (
    Answer(HEARTBEAT, None, ACK, ONE),
    Answer(PONG, None, ACK, ONE),
    Answer(HEARTBEAT, None, PING, _HEARD),
    Answer(PONG, None, PING, _HEARD),
    Answer(PROBE, ONE, PROBE_ACK, ONE),
    Answer(CLAIM, _TERM_AND_ATTEMPT, GRANT, _TERM_AND_ATTEMPT),
    Answer(CLAIM, ONE, GRANT, ONE),  # of that term, at least
    Answer(CLAIM, ONE, REFUSE, ONE),
    Answer(PING, _NONCE, PONG, _NONCE),
    Answer(OFFER, _BALLOT, READY, _BALLOT),
    Answer(READY, _BALLOT, RESIGN, _BALLOT),
    Answer(SURVEY, ONE, REPORT, ONE),
)
"""Whatever a host waits for (3.2), and by what it knows it."""
