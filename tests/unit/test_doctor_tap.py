"""What kingctl doctor counts of what comes in on the wire: by whom, by which way, and never without bound."""

import pytest

from kingd.core.wire.trial import Way
from kingd.doctor.facts import Seen
from kingd.doctor.tap import KEPT_MAX, Frames

IP, ICMP, UDP = 0x0800, 1, 17


def packet(source: int, protocol: int, payload: bytes) -> bytes:
    """IPv4, from 10.0.0.0 plus so many."""
    return bytes([0x45, *bytes(8), protocol, *bytes(2), *(0x0A000000 + source).to_bytes(4, "big"), *bytes(4)]) + payload


def echo(source: int, port: int = 5466) -> bytes:
    """An answer by multicast."""
    said = bytearray(200)
    said[:2], said[3], said[112 + 21] = b"Kg", 19, Way.MC4
    return packet(source, UDP, port.to_bytes(2, "big") + bytes(6) + said)


def prohibited(source: int) -> bytes:
    return packet(source, ICMP, bytes([3, 13]))


def seen(*frames: bytes) -> Seen:
    found = Frames()
    for each in frames:
        found.note(each, IP)
    return found.seen


def test_answers_and_prohibitions_are_counted_by_who_sent_them() -> None:
    found = seen(
        echo(1), echo(1), echo(2, 7), prohibited(3), packet(4, UDP, bytes(200)), packet(5, ICMP, bytes([3, 3]))
    )
    assert found.answers == {("10.0.0.1", 5466, "mc4"): 2, ("10.0.0.2", 7, "mc4"): 1}
    assert found.prohibited == {"10.0.0.3": 1}


@pytest.mark.parametrize("frame", [echo, prohibited])
def test_flood_of_invented_senders_is_bounded_and_hides_nobody(frame: object) -> None:
    assert callable(frame)
    found = Frames()
    most = 0
    for number in range(20 * KEPT_MAX):
        if number % 100 == 0:
            found.note(frame(1), IP)
        found.note(frame(1000 + number), IP)
        most = max(most, len(found.seen.answers) + len(found.seen.prohibited)) if number % 500 == 0 else most
    counts = found.seen.answers or found.seen.prohibited
    assert KEPT_MAX < most <= 2 * KEPT_MAX
    assert max(counts.values()) == sum(number % 100 == 0 for number in range(20 * KEPT_MAX))
