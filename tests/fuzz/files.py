"""Damaged files: configuration, keys, state."""

import random
import tempfile
from pathlib import Path
from typing import ClassVar

from kingd.config import Config, ConfigError, load
from kingd.core.wire.endpoint import Endpoint
from kingd.daemon.keys import parse_keys
from kingd.daemon.store import Owner, Store
from tests.fuzz.mutations import mutate
from tests.fuzz.target import Target


class Configuration(Target):
    """A configuration, or sentences about what is wrong with it."""

    steps: ClassVar = 100
    _VALID = (
        b'cluster = "lab"\nname = "box1"\npriority = 7\npreempt = "5s"\n',
        b'[network]\ninterfaces = ["eth0", "!wlan*"]\nport = 5466\npeers = ["10.0.0.1", "[fe80::1]:5466", "box2:99"]\n',
        b'[timing]\nprofile = "wifi"\nheartbeat = "100ms"\nleader_timeout = "500ms"\n',
        b'[tags]\nurl = "http://box1/"\n"a-b" = "\xc3\xb6"\n[log]\nlevel = "debug"\nformat = "json"\n',
        b'[security]\nmode = "enforce"\nkey_file = "/etc/kingd/cluster.key"\n[quorum]\nvoters = []\n',
    )

    def __init__(self, rng: random.Random) -> None:
        super().__init__(rng)
        self._folder = tempfile.TemporaryDirectory()
        self._file = Path(self._folder.name) / "kingd.toml"
        for data in self._VALID:
            self._file.write_bytes(data)
            load(main=self._file, explicit=True, overrides={})

    def step(self) -> str:
        self.data = mutate(self.rng.choice(self._VALID), self.rng, self._VALID)
        self._file.write_bytes(self.data)
        try:
            config = load(main=self._file, explicit=True, overrides={})
        except ConfigError as refused:
            problems = refused.problems
        else:
            assert isinstance(config, Config)
            return "read"
        assert all(problem.startswith(str(self._file)) for problem in problems), problems
        return "refused"

    def close(self) -> None:
        self._folder.cleanup()


class Keys(Target):
    """Good keys, or a sentence; never a key that is not in the file."""

    _VALID = (
        b"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n",
        b"# the new one\n" + b"ab" * 32 + b"  # signs\n\n" + b"CD" * 32,
        b"\n".join(b"%02x" % n * 32 for n in range(1, 9)),
    )

    def step(self) -> str:
        self.data = mutate(self.rng.choice(self._VALID), self.rng, self._VALID)
        try:
            keys = parse_keys(Path("cluster.key"), self.data)
        except ConfigError:
            return "refused"
        text = self.data.lower()
        assert keys
        assert all(len(key) == 32 and any(key) and key.hex().encode() in text for key in keys)
        return "read"


class State(Target):
    """The state as it was saved, or a newcomer with a warning; the cached peers are addresses or nothing."""

    steps: ClassVar = 50

    def __init__(self, rng: random.Random) -> None:
        super().__init__(rng)
        self._folder = tempfile.TemporaryDirectory()
        folder = Path(self._folder.name)
        self._state, self._peers = folder / "state.json", folder / "peers.json"
        store = self._open()
        store.save(1 << 40, 77, 1_026_000)
        store.save_peers([Endpoint("10.0.0.1", 5466), Endpoint("fe80::1", 5466, "eth0")])
        store.close()
        self._saved = (store.node_id, 1 << 40, 77, 1_026_000)
        self._valid = (self._state.read_bytes(), self._peers.read_bytes())

    def _open(self) -> Store:
        return Store.open(Path(self._folder.name), Owner("box1", "lan"))

    def step(self) -> str:
        self.data = mutate(self._valid[0], self.rng, self._valid)
        self._state.write_bytes(self.data)
        self._peers.write_bytes(mutate(self._valid[1], self.rng, self._valid))
        store = self._open()
        peers = store.load_peers()
        store.close()
        assert all(isinstance(peer, Endpoint) and 0 < peer.port < 65536 for peer in peers)
        if (store.node_id, store.ceiling, store.term, store.hold_us) == self._saved:
            return "believed"
        assert (store.ceiling, store.term, store.hold_us) == (0, 0, 0)
        assert store.node_id != self._saved[0]
        assert store.warnings
        return "not believed"

    def close(self) -> None:
        self._folder.cleanup()
