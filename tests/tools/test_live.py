"""What the kernel passes to `kingctl sniff`, and what it says where it may not listen."""

import itertools
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import time
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.packet import Raw

from kingd.tools.frames import Skipped, ip_of, udp_of
from kingd.tools.live import program
from tests.conftest import require
from tests.lan.namespace import Namespace
from tests.tools.captures import told

V4, V6 = IP(src="10.0.0.1", dst="10.0.0.2"), IPv6(src="fe80::1", dst="fe80::2")
OURS, OTHERS = UDP(sport=5466, dport=5466), UDP(sport=1, dport=2)


@pytest.mark.parametrize(
    ("packet", "passes"),
    [
        (V4 / OURS / Raw(b"x"), True),
        (V6 / OURS / Raw(b"x"), True),
        (V4 / UDP(sport=5466, dport=9) / Raw(b"x"), True),
        (V6 / UDP(sport=9, dport=5466) / Raw(b"x"), True),
        (IP(options=b"\1" * 8) / OURS / Raw(b"x"), True),
        (V4 / OTHERS / Raw(told(1)), True),
        (V6 / OTHERS / Raw(told(1)), True),
        (V4 / OTHERS / Raw(b"no"), False),
        (V6 / OTHERS / Raw(b"no"), False),
        (V4 / OTHERS, False),
        (V4 / TCP(sport=5466, dport=5466), False),
        (V6 / TCP(sport=5466, dport=5466), False),
        (IP(frag=5, proto=17) / Raw(struct.pack("!HH", 5466, 5466) + bytes(60)), False),
        (IP(flags="MF") / OURS / Raw(b"x"), True),  # it is passed over by name
        (Raw(b"\x50" + bytes(60)), False),
    ],
)  # fmt: skip
def test_kernel_passes_what_may_be_of_kingd(packet: Raw, passes: bool) -> None:
    """The same program on a pair of Unix sockets: it sees what is sent from its first byte on, as on the packet socket."""
    code = array("B", b"".join(struct.pack("HBBI", *each) for each in program(5466)))
    address, size = code.buffer_info()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours, theirs:
        ours.setsockopt(socket.SOL_SOCKET, 26, struct.pack("HP", size // 8, address))
        ours.setblocking(False)
        theirs.send(bytes(packet))
        try:
            passed = ours.recv(65536) == bytes(packet)
        except BlockingIOError:
            passed = False
    assert passed is passes


def sniff(*arguments: str, prefix: tuple[str, ...] = ()) -> "subprocess.CompletedProcess[str]":
    command = [*prefix, sys.executable, "-m", "kingd.cli", "sniff", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_who_may_not_listen_is_told_what_to_do() -> None:
    prefix: tuple[str, ...] = ()
    if os.geteuid() == 0:
        require(shutil.which("setpriv"), "setpriv is not installed (Debian: util-linux)")
        prefix = ("setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw")
    run = sniff(prefix=prefix)
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr == "kingctl: only root may listen to all that passes (CAP_NET_RAW): sudo kingctl sniff\n"


def test_interface_or_file_that_cannot_be_is_named() -> None:
    require(os.geteuid() == 0, "who may not listen learns no more")
    run = sniff("--interface", "none0")
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr.startswith("kingctl: there is no interface 'none0' here: there are lo")
    run = sniff("--interface", "lo", "--write", "/proc/none/a.pcap")
    assert (run.returncode, run.stdout, run.stderr) == (
        1,
        "",
        "kingctl: /proc/none/a.pcap: No such file or directory\n",
    )


@given(st.binary(max_size=120))
def test_whatever_is_no_ip_packet_is_passed_over(data: bytes) -> None:
    udp_of(ip_of(data), 0, Skipped(), port=5466)
    udp_of(ip_of(b"\x4f" + data), 0, Skipped(), port=5466)  # with options
    udp_of(ip_of(b"\x60\0\0\0\0\x40\0\x40" + data), 0, Skipped(), port=5466)  # with extension headers


@pytest.mark.lan
@pytest.mark.parametrize("options", [[], ["--interface", "lo"]])
def test_each_datagram_is_heard_once_on_loopback(options: list[str]) -> None:
    """In a namespace in which nobody else speaks. It is told while they pass, and ends by itself."""
    require(os.geteuid() == 0, "network namespaces need root")
    namespace = Namespace()
    command = namespace.command(sys.executable, "-m", "kingd.cli", "sniff", "--json", "--count", "5", *options)
    try:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        with namespace.inside(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sender:
            for sequence in itertools.count(1):
                if process.poll() is not None:
                    break
                sender.sendto(told(sequence), ("127.0.0.1", 5466))
                time.sleep(0.01)
        said, explained = process.communicate(timeout=60)
    finally:
        namespace.close()
    assert process.returncode == 0, explained
    found = [json.loads(line) for line in said.splitlines()]
    first = found[0]["header"]["sequence"]
    assert [each["header"]["sequence"] for each in found] == [*range(first, first + 5)]
    assert {(each["interface"], each["copy"], each["rejected"]) for each in found} == {("lo", False, None)}
