"""Damaged calls, and clients that break off, on the control socket."""

import json
import random
import socket
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import ClassVar

from kingd.control.call import METHODS, CallError, Garbage, look_up, parse
from tests.cli.fake_kingd import running
from tests.cli.raw_client import Raw
from tests.fuzz.mutations import mutate
from tests.fuzz.target import Target

_VALID = tuple(
    json.dumps({"method": f"{interface}.{name}", "parameters": parameters, **flags}).encode()
    for interface, methods in METHODS.items()
    for name in methods
    for parameters in ({}, {"to": "box1", "for_ms": 1000}, {"priority": 7}, {"interface": "org.kingd"})
    for flags in ({}, {"more": True}, {"oneway": True})
)
_VALUES: tuple[object, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1 << 63,
    1e308,
    "",
    "org.kingd",
    "org.kingd.Status",
    "\ud800",
    "x" * 300,
    [],
    {},
    [[]],
)


class Calls(Target):
    """A call is understood, refused by a Varlink error, or garbage."""

    def step(self) -> str:
        self.data = _call(self.rng)
        try:
            call = parse(self.data)
        except Garbage as garbage:
            return str(garbage)
        try:
            look_up(call)
        except CallError as error:
            json.dumps(error.parameters).encode()  # as it is sent
            return error.name
        return "understood"


def _call(rng: random.Random) -> bytes:
    """One that was damaged, or JSON with a value where none such belongs."""
    valid = rng.choice(_VALID)
    if rng.random() < 0.5:
        return mutate(valid, rng, _VALID)
    message = json.loads(valid)
    where = rng.choice((message, message["parameters"]))
    where[rng.choice(("method", "parameters", "more", "oneway", "upgrade", "to", "for_ms", "priority", ""))] = (
        rng.choice(_VALUES)
    )
    return json.dumps(message).encode()


class Clients(Target):
    """Whole and damaged calls in odd pieces, by clients that go away when they like: the next one is served."""

    steps: ClassVar = 200

    def __init__(self, rng: random.Random) -> None:
        super().__init__(rng)
        self._stack = ExitStack()
        folder = self._stack.enter_context(tempfile.TemporaryDirectory())
        self._kingd = self._stack.enter_context(running(Path(folder) / "control.sock"))

    def step(self) -> str:
        rng = self.rng
        calls = (rng.choice(_VALID) if rng.random() < 0.5 else _call(rng) for _ in range(1 + int(rng.random() * 4)))
        self.data = b"\0".join(calls) + rng.choice((b"", b"\0"))
        with Raw(self._kingd) as client, suppress(ConnectionError):
            at = 0
            while at < len(self.data):
                end = at + 1 + int(rng.random() * 200)
                client.send(self.data[at:end])
                at = end
            if rng.random() < 0.3:
                client.socket.shutdown(socket.SHUT_WR)
        with Raw(self._kingd) as other:
            assert "parameters" in other.ask("org.kingd.Status").reply()
        assert not self._kingd.failures
        return "served"

    def close(self) -> None:
        self._stack.close()
