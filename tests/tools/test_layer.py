"""The scapy layer and the dissector for Wireshark read what the codec reads; both are made from its table."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kingd.core.wire import layout
from kingd.core.wire.bodies import PULL
from kingd.core.wire.codec import decode, encode
from kingd.core.wire.endpoint import Endpoint
from kingd.core.wire.message import Datagram
from kingd.core.wire.reader import DecodeError
from kingd.core.wire.seal import Seal
from kingd.tools import dissector
from kingd.tools.datagram import Eyes
from kingd.tools.frames import Udp
from kingd.tools.layer import LAYERS, Kingd, values
from tests.conftest import require
from tests.fuzz.datagrams import sealed
from tests.tools import fields, tshark
from tests.unit.test_codec import BODIES, CLUSTER, HEADER, IDS, SEAL, SIGNING
from tests.unit.test_codec_hostile import datagrams

seals = st.sampled_from([SEAL, SIGNING])
HERE = Endpoint("10.0.0.1", 5466)


def by_layer(data: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    packet, body = Kingd(data), layout.BODIES[data[3]]
    return values(packet, layout.HEADER), values(packet.payload, body.fields, body.repeat)


def reason(data: bytes) -> str | None:
    """For which the codec refuses it."""
    try:
        decode(data, cluster=CLUSTER, seal=SEAL)
    except DecodeError as error:
        return error.reason
    return None


def assert_same(data: bytes, header: dict[str, Any], body: dict[str, Any]) -> None:
    """As the codec's own fields."""
    datagram = decode(data, cluster=int.from_bytes(data[8:16], "big"), seal=Seal())
    known = fields.header_of(datagram.header)
    assert {name: header[name] for name in known} == known
    rest = {name: header[name] for name in header.keys() - known.keys()}
    assert rest == {"magic": "Kg", "version": 16, "type": data[3], "length": len(data)}
    assert body == fields.body_of(datagram)


@given(datagrams, seals)
def test_layer_reads_what_the_codec_has_written(datagram: Datagram, seal: Seal) -> None:
    data = encode(datagram, seal)
    assert_same(data, *by_layer(data))
    assert bytes(Kingd(data)) == data


@pytest.mark.parametrize("body", BODIES, ids=IDS)
def test_codec_reads_what_the_layer_has_written(body: Any) -> None:
    """Field by field, with the length, the padding and the checksum that the layer computes."""
    packet = Kingd(encode(Datagram(HEADER, body), SEAL))
    again = Kingd(
        **{field.name: packet.getfieldval(field.name) for field in packet.fields_desc if field.name != "checksum"}
    )
    given = {field.name: packet.payload.getfieldval(field.name) for field in packet.payload.fields_desc}
    data = bytes(again / type(packet.payload)(**given | {"rest": b""}))
    assert decode(data, cluster=CLUSTER, seal=SEAL) == Datagram(HEADER, body)


@given(st.binary(max_size=1400) | st.builds(sealed, st.binary(max_size=1216)), st.sampled_from([None, *LAYERS]))
def test_whatever_the_bytes_are_they_are_shown_and_judged_as_the_codec_does(data: bytes, kind: int | None) -> None:
    if kind is not None and len(data) > 16:  # as far as the body
        data = sealed(b"Kg\x10" + bytes([kind]) + data[4:-16])
    assert Eyes(cluster=CLUSTER).look(Udp(0.0, HERE, HERE, data)).reason == reason(data)


def test_table_has_every_type_of_the_codec() -> None:
    assert layout.BODIES.keys() == PULL.keys() == LAYERS.keys()


def test_dissector_is_the_one_that_the_generator_makes() -> None:
    text = tshark.DISSECTOR.read_text()
    assert dissector.with_tables(text) == text, f"python3 -m kingd.tools.dissector {tshark.DISSECTOR}"


# -- tshark


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[bytes, dict[str, Any]]]:
    """Every type, signed and not, with what tshark says; the last ones on another port."""
    require(shutil.which("tshark"), "tshark is not installed")
    folder = tmp_path_factory.mktemp("tshark")
    payloads = [encode(Datagram(HEADER, body), seal) for seal in (SEAL, SIGNING) for body in BODIES]
    there = tshark.dissect(tshark.record(folder / "a.pcap", payloads), home=folder)
    elsewhere = tshark.dissect(tshark.record(folder / "b.pcap", payloads[:3], port=40000), home=folder)
    return list(zip(payloads + payloads[:3], there + elsewhere, strict=True))


def test_dissector_reads_every_type_as_the_codec_does(shown: list[tuple[bytes, dict[str, Any]]]) -> None:
    for data, found in shown:
        assert_same(data, tshark.header_of(found), tshark.body_of(found, data[3]))
        assert "kingd.refused" not in found
        assert found["kingd.checksum"].replace(":", "") == data[-16:].hex()
        assert found.get("kingd.signature", "").replace(":", "") == (data[-32:-16].hex() if data[109] else "")


def changed(body: Any, at: int, value: int) -> bytes:
    data = bytearray(encode(Datagram(HEADER, body), SEAL)[:-16])
    data[at] = value
    return SEAL.close(bytes(data))


def test_dissector_refuses_what_the_codec_refuses(tmp_path: Path) -> None:
    """But for the checksum, the signature and the grammar of texts."""
    require(shutil.which("tshark"), "tshark is not installed")
    by_id = dict(zip(IDS, BODIES, strict=True))
    heartbeat, announce, claim = by_id["heartbeat"], by_id["announce"], by_id["claim-ticket"]
    payloads = [
        bytes(200),
        b"Kg" + bytes(20),
        encode(Datagram(HEADER, announce), SEAL) + bytes(1000),
        changed(heartbeat, 2, 0x20),
        changed(heartbeat, 7, 1),
        changed(heartbeat, 3, 99),
        changed(heartbeat, 108, 5),  # a role
        changed(heartbeat, 119, 2),  # the lease
        changed(claim, 112 + 13, 15),  # the reason
        changed(by_id["ready"], 112 + 17, 9),
        changed(by_id["roster"], 112 + 2, 17),
        changed(announce, 112 + 4, 9),
        changed(by_id["report"], 112 + 8, 65),  # longer than a text may be
        changed(by_id["pong"], 3, 5),  # too short for a claim
        changed(by_id["pong"], 3, 1),  # shorter than it must be
    ]
    for data, found in zip(
        payloads, tshark.dissect(tshark.record(tmp_path / "c.pcap", payloads), home=tmp_path), strict=True
    ):
        assert found["kingd.refused"] == reason(data), data[:8]
