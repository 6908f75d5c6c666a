"""Checksum, signature, and who believes whom. docs/protocol.md 3.3."""

import hashlib
import itertools

import pytest

from kingd.core.wire.codec import decode, encode
from kingd.core.wire.message import NOBODY, Ballot, Datagram, Header, Heartbeat, NodeId, Role, SessionId, Term
from kingd.core.wire.reader import DecodeError
from kingd.core.wire.seal import MAC_SIZE, Key, Mac, Seal

FIRST, SECOND, UNKNOWN = bytes(range(32)), bytes(range(32, 64)), b"\x11" * 32
CLUSTER = 0x6B9D00A22B95FB98
HEADER = Header(
    cluster=CLUSTER,
    source=NodeId(1),
    destination=NOBODY,
    session=SessionId(2),
    sequence=3,
    leader=Ballot(Term(4), NodeId(1)),
    floor=Ballot(Term(4), NodeId(1)),
    priority=100,
    role=Role.LEADER,
    eligible=True,
    multicast=True,
)
DATAGRAM = Datagram(HEADER, Heartbeat(interval_ms=100, lonely=False, alive=3))
ENFORCE = Seal([FIRST], requires_key=True)
KEY_AT = 109


def verdict(data: bytes, seal: Seal) -> str:
    try:
        decode(data, cluster=CLUSTER, seal=seal)
    except DecodeError as error:
        return error.reason
    return "believed"


def with_checksum(data: bytes | bytearray) -> bytes:
    """Whatever its last 16 bytes were: what everybody can compute."""
    body = bytes(data[:-MAC_SIZE])
    return body + hashlib.blake2b(body, key=bytes(32), digest_size=16, person=b"kingd-v1").digest()


# -- known answers


@pytest.mark.parametrize(
    ("key", "data", "mac"),
    [
        (bytes(32), b"", "e2043550a69f90ff47ffa4a59c1b5931"),
        (FIRST, b"", "dc458dde8ac50c301e7fd8229b8b499d"),
        (FIRST, b"kingd", "d77e58b51697552e00a8247fa6bc873c"),
        (FIRST, bytes(range(200)), "1c98f443b3bdbb0e3f9436c5554f16c9"),
    ],
    ids=["no key, nothing", "key, nothing", "key", "more than a block"],
)
def test_065_mac_known_answers(key: bytes, data: bytes, mac: str) -> None:
    assert Mac(key).of(data).hex() == mac


def test_key_ids_known_answers() -> None:
    assert [Key.of(secret).id for secret in (FIRST, SECOND, UNKNOWN)] == [235, 223, 27]


def test_065_signed_datagram_known_answer() -> None:
    data = encode(DATAGRAM, ENFORCE)
    assert (len(data), data[KEY_AT], data[-32:-16].hex(), data[-16:].hex()) == (
        155,
        235,
        "55c6a29b98472834a898255aa963b777",
        "b7d46985350603fc9e86b73cb4d5b691",
    )


# -- every byte


@pytest.mark.parametrize("offset", range(155))
def test_065_every_byte_is_under_the_signature(offset: int) -> None:
    """Whoever changes a byte and has no key can mend the checksum, and is found out by the signature."""
    forged = bytearray(encode(DATAGRAM, ENFORCE))
    forged[offset] ^= 0x01
    if offset >= 123:
        assert verdict(bytes(forged), ENFORCE) == "damaged"
        return
    assert verdict(bytes(forged), ENFORCE) in ("damaged", "magic", "length", "other-cluster")
    expected = {**dict.fromkeys((0, 1), "magic"), **dict.fromkeys((6, 7), "length")}
    expected |= dict.fromkeys(range(8, 16), "other-cluster")
    assert verdict(with_checksum(forged), ENFORCE) == expected.get(offset, "bad-key")


def test_065_signature_cannot_be_taken_off() -> None:
    signed = bytearray(encode(DATAGRAM, ENFORCE))
    signed[KEY_AT] = 0
    assert verdict(with_checksum(signed), ENFORCE) == "unsigned"


def test_065_signature_of_another_datagram_is_worth_nothing() -> None:
    one, other = (
        encode(DATAGRAM, ENFORCE),
        encode(Datagram(HEADER, Heartbeat(interval_ms=1, lonely=True, alive=1)), ENFORCE),
    )
    assert verdict(with_checksum(one[:-32] + other[-32:-16] + bytes(16)), ENFORCE) == "bad-key"


@pytest.mark.parametrize("size", [124, 139])
def test_signed_datagram_without_room_for_a_signature_is_refused(size: int) -> None:
    data = bytearray(encode(DATAGRAM, ENFORCE)[:size])
    data[6:8] = size.to_bytes(2, "big")
    assert verdict(with_checksum(data), ENFORCE) == "truncated"


# -- who believes whom

SENDERS = {
    "first": Seal([FIRST], requires_key=True),
    "second": Seal([SECOND], requires_key=True),
    "unknown": Seal([UNKNOWN], requires_key=True),
    "unsigned": Seal(),
    "rolling": Seal([SECOND, FIRST], requires_key=True),
    "permissive": Seal([FIRST]),
}


@pytest.mark.parametrize("sender", SENDERS)
@pytest.mark.parametrize(
    ("receiver", "refused"),
    [
        (Seal(), {}),
        (Seal([FIRST]), {"second": "bad-key", "unknown": "bad-key", "rolling": "bad-key"}),
        (Seal([FIRST, SECOND]), {"unknown": "bad-key"}),
        (
            Seal([FIRST], requires_key=True),
            {"second": "bad-key", "unknown": "bad-key", "unsigned": "unsigned", "rolling": "bad-key"},
        ),
        (Seal([FIRST, SECOND], requires_key=True), {"unknown": "bad-key", "unsigned": "unsigned"}),
        (Seal([SECOND, FIRST], requires_key=True), {"unknown": "bad-key", "unsigned": "unsigned"}),
    ],
    ids=["off", "permissive 1", "permissive 1 2", "enforce 1", "enforce 1 2", "enforce 2 1"],
)
def test_who_believes_whom(receiver: Seal, refused: dict[str, str], sender: str) -> None:
    assert verdict(encode(DATAGRAM, SENDERS[sender]), receiver) == refused.get(sender, "believed")


@pytest.mark.parametrize(
    ("steps", "what"),
    [
        ([Seal(), Seal([FIRST]), Seal([FIRST], requires_key=True)], "first key"),
        (
            [
                Seal([FIRST], requires_key=True),
                Seal([FIRST, SECOND], requires_key=True),
                Seal([SECOND, FIRST], requires_key=True),
                Seal([SECOND], requires_key=True),
            ],
            "roll",
        ),
    ],
    ids=["from no key to enforce", "from one key to another"],
)
def test_046_neighbouring_steps_believe_each_other(steps: list[Seal], what: str) -> None:
    """What makes a key roll without a gap: hosts that are one step apart understand each other, both ways."""
    for before, after in itertools.pairwise(steps):
        for sender, receiver in ((before, after), (after, before), (after, after)):
            assert verdict(encode(DATAGRAM, sender), receiver) == "believed"


def test_skipping_a_step_is_refused() -> None:
    assert verdict(encode(DATAGRAM, Seal()), ENFORCE) == "unsigned"
    assert verdict(encode(DATAGRAM, Seal([SECOND], requires_key=True)), ENFORCE) == "bad-key"


@pytest.mark.parametrize(
    ("seal", "mode", "key_ids"),
    [
        (Seal(), "off", ()),
        (Seal([FIRST]), "permissive", (Key.of(FIRST).id,)),
        (Seal([SECOND, FIRST], requires_key=True), "enforce", (Key.of(SECOND).id, Key.of(FIRST).id)),
    ],
)
def test_seal_says_what_it_is(seal: Seal, mode: str, key_ids: tuple[int, ...]) -> None:
    assert (seal.mode, seal.key_ids, seal.key_id) == (mode, key_ids, key_ids[0] if key_ids else 0)
