"""What simulated hosts say to each other, on its way: made to bytes and back, and put on the network for whom it is meant.

Each datagram is encoded once and decoded at once, to see that the codec changes none; what arrives unharmed at several hosts
needs no second look. Where a run is not about the codec the datagrams travel as they are, which is faster."""

from kingd.core.wire.codec import DATAGRAM_SIZE_MAX, decode, encode
from kingd.core.wire.endpoint import Endpoint
from kingd.core.wire.message import Announce, Datagram, Probe
from kingd.core.wire.reader import DecodeError
from kingd.core.wire.seal import Seal
from kingd.sim.host import Host
from kingd.sim.network import Network, Payload
from kingd.sim.outcome import SafetyError

_DECODED_MAX = 4096


class Mail:
    def __init__(self, hosts: list[Host], network: Network, *, encodes: bool) -> None:
        self.seal = Seal()
        self.said = 0  # datagrams: one multicast is one; if `encodes`
        self.record: list[tuple[int, int, bytes]] | None = None  # source, target, what; if `encodes`
        self._hosts = hosts
        self._network = network
        self._encodes = encodes
        self._index = {h.endpoint.host: h.index for h in hosts}
        self._decoded: dict[bytes, Datagram] = {}

    def target(self, to: Endpoint) -> int | None:
        """Whose address that is."""
        return self._index.get(to.host)

    def unicast(self, host: Host, datagram: Datagram, to: Endpoint, *, now_us: int) -> None:
        self.post(host, self.pack(datagram), to, now_us=now_us)

    def post(self, host: Host, data: Payload, to: Endpoint, *, now_us: int) -> None:
        index = self._index.get(to.host)
        if index is not None and self._hosts[index].port == to.port:
            self.put(host, data, index, multicast=False, now_us=now_us)

    def put(self, host: Host, data: Payload, target: int, *, multicast: bool, now_us: int) -> None:
        if self.record is not None:
            assert isinstance(data, bytes)
            self.record.append((host.index, target, data))
        self._network.send(data, source=host.index, target=target, multicast=multicast, now_us=now_us)

    def multicast(self, host: Host, datagram: Datagram, *, now_us: int) -> None:
        """The kernel loops it back. Of heartbeats that is left out here: it is a fifth of all, and changes nothing."""
        data = self.pack(datagram)
        to_itself = isinstance(datagram.body, (Announce, Probe))
        targets = [other.index for other in self._hosts if other is not host or to_itself]
        if self.record is not None:
            assert isinstance(data, bytes)
            self.record += [(host.index, target, data) for target in targets]
        self._network.multicast(data, source=host.index, targets=targets, now_us=now_us)

    def again(self, speaker: int, target: int, multicast: bool, datagram: Datagram, *, at_us: int) -> None:
        """Somebody else says it once more, and it arrives then."""
        data = encode(datagram, self.seal) if self._encodes else datagram
        self._network.put(data, source=speaker, target=target, multicast=multicast, at_us=at_us)

    def pack(self, datagram: Datagram) -> Payload:
        """As it travels."""
        if not self._encodes:
            return datagram
        self.said += 1
        data = encode(datagram, self.seal)
        if len(data) > DATAGRAM_SIZE_MAX:
            raise SafetyError(f"WIRE: {len(data)} bytes: {datagram}")
        if decode(data, cluster=datagram.header.cluster, seal=self.seal) != datagram:
            raise SafetyError(f"WIRE: the codec changed {datagram}")
        while len(self._decoded) >= _DECODED_MAX:
            del self._decoded[next(iter(self._decoded))]
        self._decoded[data] = datagram
        return data

    def read(self, data: Payload) -> Datagram | None:
        """What has arrived, if it can be read. Most was decoded when it was sent; several hosts get the same."""
        if not isinstance(data, bytes):
            return data
        known = self._decoded.get(data)
        if known is not None:
            return known
        try:
            return decode(data, cluster=self._hosts[0].settings.cluster, seal=self.seal)
        except DecodeError:
            return None
