"""`kingctl decode`: what a person reads, what a program reads, and files that are none."""

import gzip
import json
import os
import random
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment
from scapy.layers.l2 import ARP, Dot1AD, Dot1Q, Ether
from scapy.packet import Raw

from kingd.core.wire.message import Announce, Claim, NodeId, Reason, SessionId, Term
from kingd.core.wire.past import Events, Recall
from kingd.core.wire.seal import Seal
from kingd.core.wire.trial import Echo, Trial, Way
from kingd.tools.main import Options, decode
from tests.fuzz.mutations import mutate
from tests.tools.captures import ETHERNET, RAW, beat, frame, packet, pcap, told

KEY, OTHER_KEY = bytes(range(32)), bytes(range(1, 33))
Printed = pytest.CaptureFixture[str]


def lines(printed: Printed) -> list[str]:
    """Without headings."""
    return [line for line in printed.readouterr().out.splitlines() if not line.startswith("--")]


def objects(file: Path, printed: Printed, **options: object) -> list[dict[str, object]]:
    decode(str(file), Options(as_json=True, **options))  # type: ignore[arg-type]
    return [json.loads(line) for line in printed.readouterr().out.splitlines()]


# -- what is printed


def test_a_line_a_datagram_with_the_name_that_it_tells_later(tmp_path: Path, capsys: Printed) -> None:
    later = told(2, Announce(name="box7", version="0.1.0", interval_ms=1000))
    assert decode(str(pcap(tmp_path / "a", [frame(told(1)), frame(later)])), Options()) == 0
    first, second = lines(capsys)
    assert "10.0.0.1 > 10.0.0.2  box7  HEARTBEAT  term 65  leads; 3 alive; its next heartbeat in 100 ms" in first
    assert "box7  ANNOUNCE   term 65  is here: box7, priority 356, kingd 0.1.0" in second


def test_json_is_versioned_and_has_every_field(tmp_path: Path, capsys: Printed) -> None:
    (found,) = objects(pcap(tmp_path / "a", [frame(told(7))], seconds=[1.5]), capsys)
    assert found["version"] == 1
    assert (found["time"], found["source"], found["destination"]) == (
        "1970-01-01T00:00:01.500000Z",
        "10.0.0.1:5466",
        "10.0.0.2:5466",
    )
    assert (found["type"], found["term"], found["rejected"], found["copy"]) == ("heartbeat", 65, None, False)
    assert found["from"] == {"id": "0102030405060708", "name": None}
    assert found["body"] == {"interval_ms": 100, "lonely": False, "alive": 3, "lease_ms": 0}
    assert isinstance(found["header"], dict)
    assert found["header"]["sequence"] == 7


def test_count_ends_it(tmp_path: Path, capsys: Printed) -> None:
    assert len(objects(pcap(tmp_path / "a", [frame(told(n)) for n in range(1, 9)]), capsys, count=3)) == 3


def test_quiet_leaves_out_and_counts_what_says_nothing_new(tmp_path: Path, capsys: Printed) -> None:
    beats = [frame(beat(7, 3, n)) for n in range(1, 50)] + [frame(beat(8, 4, 1))]
    decode(str(pcap(tmp_path / "a", beats)), Options(is_quiet=True))
    printed = capsys.readouterr().out
    assert printed.count("leads;") == 2
    assert "48 HEARTBEAT" in printed


def test_changes_in_two_clusters_are_told_apart(tmp_path: Path, capsys: Printed) -> None:
    claim = Claim(term=Term(66), attempt=1, reason=Reason.LEADER_TIMEOUT)
    frames = [
        frame(told(1)),
        frame(told(2, claim)),
        frame(told(1, claim, cluster=0xABCDEF0123456789, session=SessionId(5))),
        frame(told(2, cluster=0xABCDEF0123456789, session=SessionId(5))),
        frame(told(3)),
    ]
    decode(str(pcap(tmp_path / "a", frames)), Options())
    printed = capsys.readouterr().out
    headings = [line for line in printed.splitlines() if line.startswith("-- #") or line.startswith("-- [")]
    assert [heading.split(" wants")[0] for heading in headings[:2]] == [
        "-- #01020304",
        "-- [cluster abcdef01] #01020304",
    ]
    assert headings[2].startswith("-- [cluster abcdef01] #00000000 leads in term 65")
    assert len(headings) == 3  # in the first cluster that leader led before
    assert printed.count("[cluster abcdef01]") == 4


# -- rejections


@pytest.mark.parametrize(
    ("payload", "options", "reason"),
    [
        (told(1, cluster=5), {"cluster": "default"}, "other-cluster"),
        (told(1), {"key_file": KEY}, "unsigned"),
        (told(1, seal=Seal([OTHER_KEY])), {"key_file": KEY}, "bad-key"),
        (told(1)[:-1] + b"x", {}, "damaged"),
        (b"\0" * 200, {}, "magic"),
        (told(1)[:2] + b"\x20" + told(1)[3:], {}, "version"),
        (told(1)[:50], {}, "truncated"),
        (told(1) + b"x", {}, "length"),
        (told(1, source=NodeId(0)), {}, "header"),
    ],
)  # fmt: skip
def test_rejections_are_marked_with_their_reason(
    tmp_path: Path, capsys: Printed, payload: bytes, options: dict[str, object], reason: str
) -> None:
    if "key_file" in options:
        (tmp_path / "key").write_text(KEY.hex())
        (tmp_path / "key").chmod(0o600)
        options = {"key_file": tmp_path / "key"}
    file = pcap(tmp_path / "a", [frame(payload)])
    (found,) = objects(file, capsys, **options)
    rejected = found["rejected"]
    assert isinstance(rejected, dict)
    assert rejected["reason"] == reason
    decode(str(file), Options(**options))  # type: ignore[arg-type]
    (line,) = lines(capsys)
    assert f"REJECTED ({reason}): {rejected['meaning']}" in line
    assert ("leads;" in line) is (reason in ("other-cluster", "unsigned", "bad-key"))  # what is whole can be read


def test_what_one_of_the_keys_has_signed_is_believed(tmp_path: Path, capsys: Printed) -> None:
    (tmp_path / "key").write_text(f"{OTHER_KEY.hex()}\n{KEY.hex()}\n")
    (tmp_path / "key").chmod(0o600)
    (found,) = objects(pcap(tmp_path / "a", [frame(told(1, seal=Seal([KEY])))]), capsys, key_file=tmp_path / "key")
    assert found["rejected"] is None


def test_copies_are_told_from_recordings_that_are_sent_again(tmp_path: Path, capsys: Printed) -> None:
    """At once by IPv6 as well; a minute later; and other words under the same number."""
    other = told(1, Announce(name="box7", version="0.1.0", interval_ms=1000))
    frames = [frame(told(1)), frame(told(1), IPv6(src="fe80::1", dst="fe80::2")), frame(told(1)), frame(other)]
    found = objects(pcap(tmp_path / "a", frames, seconds=[0, 0.001, 60, 60]), capsys)
    assert [each["copy"] for each in found] == [False, True, False, False]
    reasons = [each["rejected"] and each["rejected"]["reason"] for each in found]  # type: ignore[index]
    assert reasons == [None, None, "replay", "replay"]


@pytest.mark.parametrize(
    "aside",
    [
        Trial(run=1, token=2, number=3, lane=0, by=Way.UC4, back=Way.MC4),
        Echo(run=1, token=1, number=1, lane=0, by=Way.UC4, lag_ms=0, about=0),
        Recall(nonce=1, before=0),
        Events(echo=1),
    ],
)
def test_what_is_said_beside_the_election_is_numbered_apart(
    tmp_path: Path, capsys: Printed, aside: Trial | Echo | Recall | Events
) -> None:
    beside = told(1, aside)
    found = objects(pcap(tmp_path / "a", [frame(told(1)), frame(beside), frame(beside)], seconds=[0, 9, 60]), capsys)
    reasons = [each["rejected"] and each["rejected"]["reason"] for each in found]  # type: ignore[index]
    assert reasons == [None, None, "replay"]


def test_key_file_that_is_none_is_an_error_in_words(tmp_path: Path, capsys: Printed) -> None:
    assert decode(str(pcap(tmp_path / "a", [frame(told(1))])), Options(key_file=tmp_path / "none")) == 1
    assert "the cluster key cannot be read" in capsys.readouterr().err


# -- frames of all kinds

V4, V6 = IP(src="10.0.0.1", dst="10.0.0.2"), IPv6(src="fe80::1", dst="ff12::5466")


@pytest.mark.parametrize(
    ("linktype", "data"),
    [
        (ETHERNET, frame(told(1), V4)),
        (ETHERNET, frame(told(1), V6)),
        (ETHERNET, frame(told(1), V6, IPv6ExtHdrDestOpt())),
        (ETHERNET, frame(told(1), Dot1Q(vlan=5), V4)),
        (ETHERNET, frame(told(1), Dot1AD(vlan=6), Dot1Q(vlan=5), V6)),
        (ETHERNET, frame(told(1)) + bytes(20)),  # padded by the link
        (RAW, packet(told(1))),
        (RAW, packet(told(1), sport=20001, dport=20002)),  # a second daemon on a host
        (RAW, bytes(V6 / UDP(sport=5466, dport=5466) / Raw(told(1)))),
        (0, struct.pack("<I", 2) + packet(told(1))),  # BSD loopback
        (113, struct.pack("!HHH8sH", 0, 1, 6, bytes(8), 0x800) + packet(told(1))),  # Linux "any"
        (276, struct.pack("!HHIHBB8s", 0x800, 0, 1, 1, 0, 6, bytes(8)) + packet(told(1))),  # the newer one
    ],
)  # fmt: skip
def test_datagrams_are_found_in_frames_of_all_kinds(
    tmp_path: Path, capsys: Printed, linktype: int, data: bytes
) -> None:
    (found,) = objects(pcap(tmp_path / "a", [data], linktype=linktype), capsys)
    assert (found["type"], found["rejected"]) == ("heartbeat", None)


@pytest.mark.parametrize(
    ("linktype", "data", "said"),
    [
        (ETHERNET, bytes(Ether() / ARP()), "1 not IP"),
        (ETHERNET, bytes(Ether() / V4 / ICMP()), "1 IP, but not UDP"),
        (ETHERNET, bytes(Ether() / V4 / UDP(sport=53, dport=53) / Raw(b"Kx")), "1 UDP of others"),
        (ETHERNET, bytes(Ether() / IP(flags="MF") / UDP(sport=5466, dport=5466) / Raw(told(1))), "1 fragments"),
        (ETHERNET, bytes(Ether() / IP(frag=3, proto=17) / Raw(told(1))), "1 fragments"),
        (ETHERNET, frame(told(1), V6, IPv6ExtHdrFragment(m=1)), "1 fragments"),
        (ETHERNET, frame(told(1))[:-30], "1 cut short by whoever recorded them"),
        (ETHERNET, frame(told(1))[:20], "1 "),
        (ETHERNET, b"", "1 not IP"),
        (ETHERNET, bytes(12) + b"\x81\0\0\1" * 4000, "1 not IP"),
        (147, frame(told(1)), "1 not IP"),  # a kind of link that nobody knows
    ],
)  # fmt: skip
def test_everything_else_is_passed_over_and_counted(
    tmp_path: Path, capsys: Printed, linktype: int, data: bytes, said: str
) -> None:
    assert decode(str(pcap(tmp_path / "a", [data], linktype=linktype)), Options()) == 0
    printed = capsys.readouterr()
    assert printed.out == ""
    assert f"kingctl: 0 datagrams; passed over: {said}" in printed.err


# -- files that are none, and damaged ones


def test_gzip_is_read(tmp_path: Path, capsys: Printed) -> None:
    file = pcap(tmp_path / "a", [frame(told(1))])
    (tmp_path / "a.gz").write_bytes(gzip.compress(file.read_bytes()))
    assert len(objects(tmp_path / "a.gz", capsys)) == 1


NOT_CAPTURES = [b"", b"\xd4", b"root:x:0:0:\n" * 9, bytes(1000), b"\xd4\xc3\xb2\xa1\2\0", b"\x1f\x8b" + bytes(99)]


@pytest.mark.parametrize("content", NOT_CAPTURES)
def test_what_is_no_capture_is_said_in_words(tmp_path: Path, capsys: Printed, content: bytes) -> None:
    (tmp_path / "a").write_bytes(content)
    assert decode(str(tmp_path / "a"), Options()) == 1
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == (
        "",
        f"kingctl: {tmp_path}/a: not a capture file: pcap and pcapng can be read\n",
    )


def test_file_that_is_not_there(tmp_path: Path, capsys: Printed) -> None:
    assert decode(str(tmp_path / "none"), Options()) == 1
    assert capsys.readouterr().err == f"kingctl: {tmp_path}/none: No such file or directory\n"


@pytest.mark.parametrize("cut", [1, 16 + 20, 200])
def test_file_that_ends_in_the_middle_is_read_as_far_as_it_goes(tmp_path: Path, capsys: Printed, cut: int) -> None:
    file = pcap(tmp_path / "a", [frame(told(n)) for n in (1, 2, 3)])
    file.write_bytes(file.read_bytes()[:-cut])
    assert decode(str(file), Options()) == 1
    printed = capsys.readouterr()
    assert printed.out.count("HEARTBEAT") in (1, 2)
    assert f"{file}: the file ends in the middle of a packet" in printed.err


def test_length_of_four_gigabytes_is_not_believed(tmp_path: Path, capsys: Printed) -> None:
    file = pcap(tmp_path / "a", [frame(told(1))])
    with file.open("ab") as stream:
        stream.write(struct.pack("<IIII", 0, 0, 0xFFFFFFFF, 0xFFFFFFFF) + bytes(1000))
    assert decode(str(file), Options()) == 1
    printed = capsys.readouterr()
    assert printed.out.count("HEARTBEAT") == 1
    assert f"{file}: " in printed.err


@pytest.fixture(scope="module")
def valid(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """A pcap and a pcapng."""
    folder = tmp_path_factory.mktemp("valid")
    frames = [frame(told(n)) for n in range(1, 6)]
    blocks = [
        struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28),
        struct.pack("<IIHHII", 1, 20, 1, 0, 65535, 20),
    ]
    for data in frames:
        padded = data + bytes(-len(data) % 4)
        size = 32 + len(padded)
        blocks.append(
            struct.pack("<IIIIIII", 6, size, 0, 0, 0, len(data), len(data)) + padded + struct.pack("<I", size)
        )
    return [pcap(folder / "a", frames).read_bytes(), b"".join(blocks)]


def test_pcapng_is_read(tmp_path: Path, capsys: Printed, valid: list[bytes]) -> None:
    (tmp_path / "a").write_bytes(valid[1])
    assert len(objects(tmp_path / "a", capsys)) == 5


def test_no_damage_is_more_than_an_error_in_words(tmp_path: Path, capsys: Printed, valid: list[bytes]) -> None:
    rng = random.Random(1)
    for _ in range(400):
        (tmp_path / "a").write_bytes(mutate(rng.choice(valid), rng, valid))
        code = decode(str(tmp_path / "a"), Options())
        printed = capsys.readouterr()
        assert code in (0, 1)
        assert all(line.startswith("kingctl: ") for line in printed.err.splitlines()), printed.err


# -- the command


def kingctl(*arguments: str, program: str = "pass", stdin: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
    """`program`: what Python does before it."""
    code = f"import sys; {program}; from kingd.cli.main import main; sys.argv = ['kingctl', *sys.argv[1:]]; sys.exit(main())"
    environment = {key: value for key, value in os.environ.items() if key != "KINGCTL_SOCKET"}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], input=stdin, capture_output=True, check=False, env=environment
    )  # fmt: skip


def test_standard_input_is_read(tmp_path: Path) -> None:
    run = kingctl("decode", "--json", "-", stdin=pcap(tmp_path / "a", [frame(told(1))]).read_bytes())
    assert (run.returncode, json.loads(run.stdout)["type"]) == (0, "heartbeat")


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("kingd.tools", "apt install kingd-tools"),
        ("scapy", "apt install python3-scapy"),
        ("scapy.config", "python3-scapy"),
    ],
)
@pytest.mark.parametrize("verb", [["sniff"], ["decode", "-"]])
def test_what_is_not_installed_is_named(verb: list[str], missing: str, said: str) -> None:
    run = kingctl(*verb, program=f"sys.modules[{missing!r}] = None")
    assert (run.returncode, run.stdout) == (1, b"")
    (line,) = run.stderr.decode().splitlines()
    assert line.startswith(f"kingctl: {verb[0]} ")
    assert said in line
