"""Where datagrams come from: frames of a capture file, or of this host's interfaces (tools/live.py), to UDP datagrams.

Whatever is in a file, it ends in datagrams, in `Skipped` counts, or in a `CaptureError`."""

import gzip
import logging
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, NamedTuple, Protocol

from scapy.config import conf
from scapy.error import Scapy_Exception
from scapy.layers import l2  # noqa: F401 - it is here that scapy learns of Ethernet and its kin
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment
from scapy.packet import Raw
from scapy.utils import PcapReader

from kingd.core.wire.codec import prologue
from kingd.core.wire.endpoint import Endpoint

PORT = 5466
MAGIC = prologue(0)[0][1]
_READ_MAX = 1 << 20  # no frame is longer; a damaged file may say that one has 4 GiB
_TIME_END_S = 253_000_000_000  # the year 9987: what a damaged file says may be later
_GZIP = b"\x1f\x8b"

logging.getLogger("scapy").setLevel(logging.CRITICAL)  # what is wrong with a file we say ourselves
conf.debug_dissector = False


class CaptureError(Exception):
    """The file, or the interface, gives nothing (more), and why."""


class Udp(NamedTuple):
    """One datagram, whoever sent it."""

    time_s: float  # since the epoch
    source: Endpoint
    target: Endpoint
    payload: bytes


@dataclass
class Skipped:
    """What was seen and is no datagram of kingd."""

    counts: Counter[str] = field(default_factory=Counter)
    frames: int = 0


class Source(Protocol):
    """Of datagrams that may be kingd's."""

    skipped: Skipped

    def __iter__(self) -> Iterator[Udp]: ...


class _Stream:
    """What scapy reads from: it notices an end in the middle, and a length that is none."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.name = getattr(file, "name", "capture")
        self.is_cut = False

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _READ_MAX:
            raise CaptureError(f"a packet of {size} bytes is announced: the file is damaged there")
        data = self._file.read(size)
        self.is_cut |= 0 < len(data) < size
        return data

    def tell(self) -> int:
        return self._file.tell()

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def close(self) -> None:
        self._file.close()


class CaptureFile:
    """pcap or pcapng, gzipped or not; "-" is standard input. Iterating raises CaptureError where it can be read no further."""

    def __init__(self, path: str, *, port: int = PORT) -> None:
        self.skipped = Skipped()
        self._path = path
        self._name = "standard input" if path == "-" else path
        self._port = port

    def __iter__(self) -> Iterator[Udp]:
        stream = _Stream(self._open())
        try:
            yield from self._read(stream)
        finally:
            if self._path != "-":
                stream.close()
        if stream.is_cut:
            raise CaptureError(f"{self._name}: the file ends in the middle of a packet (after {self._after})")

    @property
    def _after(self) -> str:
        return "the first one" if self.skipped.frames == 1 else f"{self.skipped.frames} of them"

    def _open(self) -> Any:
        if self._path == "-":
            return sys.stdin.buffer
        try:
            with Path(self._path).open("rb") as file:
                is_zipped = file.read(2) == _GZIP
            return gzip.open(self._path) if is_zipped else Path(self._path).open("rb")
        except OSError as error:
            raise CaptureError(f"{self._name}: {error.strerror}") from None

    def _read(self, stream: _Stream) -> Iterator[Udp]:
        try:
            frames = iter(PcapReader(stream))
        except CaptureError:
            raise
        except Exception:  # whatever scapy stumbles over, it is the file
            raise CaptureError(f"{self._name}: not a capture file: pcap and pcapng can be read") from None
        while True:
            try:
                frame = next(frames)
            except StopIteration:
                return
            except CaptureError as error:
                raise CaptureError(f"{self._name}: {error} (after {self._after})") from None
            except Exception as error:
                why = str(error) if isinstance(error, Scapy_Exception | OSError) else type(error).__name__
                raise CaptureError(f"{self._name}: it cannot be read on after {self._after} ({why})") from None
            time_s = float(frame.time)
            found = udp_of(frame, time_s if 0 <= time_s < _TIME_END_S else 0, self.skipped, port=self._port)
            if found is not None:
                yield found


def ip_of(data: bytes) -> Any:
    """An IP packet, whatever is in it."""
    try:
        return (IPv6 if data[:1] >= b"\x60" else IP)(data)
    except Exception:  # as scapy's own readers do: it is the packet's fault, and the next one may be good
        return Raw(data)


def udp_of(frame: Any, time_s: float, skipped: Skipped, *, port: int, interface: str = "") -> Udp | None:
    """The datagram in a frame, if it may be kingd's: by its port, or by how it begins. Else it is counted, and why."""
    skipped.frames += 1
    kind = _why_not(frame)
    if kind is None:
        ip, udp = (frame[IP] if IP in frame else frame[IPv6]), frame[UDP]
        payload = bytes(udp.original[8 : max(udp.len or 0, 8)])
        if port not in (udp.sport, udp.dport) and not payload.startswith(MAGIC):
            kind = "UDP of others"
        elif len(payload) + 8 != udp.len:
            kind = "cut short by whoever recorded them"
        else:
            source, target = Endpoint(ip.src, udp.sport, interface), Endpoint(ip.dst, udp.dport, interface)
            return Udp(time_s, source, target, payload)
    skipped.counts[kind] += 1
    return None


def _why_not(frame: Any) -> str | None:
    if IP in frame:
        if frame[IP].frag or frame[IP].flags.MF:
            return "fragments (kingd sends none)"
    elif IPv6ExtHdrFragment in frame:
        return "fragments (kingd sends none)"
    elif IPv6 not in frame:
        return "not IP"
    return None if UDP in frame else "IP, but not UDP"
