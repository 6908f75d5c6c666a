"""`kingctl sniff` at the switch of real daemons, through all that they can say: what it shows, what it records, and what tshark
makes of the record, are what the codec reads."""

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kingd.core.wire import layout
from kingd.core.wire.codec import decode
from kingd.core.wire.seal import Seal
from kingd.tools.frames import CaptureFile
from kingd.tools.main import Options
from kingd.tools.main import decode as show
from tests.conftest import require
from tests.lan.host import until
from tests.lan.network import MULTICAST, Lan
from tests.lan.test_quorum import voters
from tests.tools import fields, tshark

pytestmark = pytest.mark.lan

SECRET = bytes(range(32))


class Sniffer:
    """`kingctl sniff --json --write` in the switch's namespace."""

    def __init__(self, lan: Lan) -> None:
        self.pcap = lan.folder / "sniffed.pcap"
        self._said = lan.folder / "sniffed.jsonl"
        command = [
            sys.executable,
            "-m",
            "kingd.cli",
            "sniff",
            "--interface",
            "br0",
            "--json",
            "--write",
            str(self.pcap),
        ]
        with self._said.open("w") as said:
            self._process = subprocess.Popen(
                lan.switch.command(*command), stdout=said, stderr=subprocess.PIPE, text=True
            )
        until(self.pcap.exists, limit_s=60, what="kingctl sniff to begin")

    def objects(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._said.read_text().splitlines(keepends=True) if line.endswith("\n")]

    def until_heard(self, *types: str) -> None:
        until(lambda: {each["type"] for each in self.objects()}.issuperset(types), what=f"{types} to be said")

    def end(self) -> str:
        """As by Ctrl-C. What it said on standard error."""
        self._process.send_signal(signal.SIGINT)
        _, said = self._process.communicate(timeout=60)
        assert self._process.returncode == 0
        return said

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


@pytest.fixture
def sniffer(lan: Lan) -> Iterator[Sniffer]:
    found = Sniffer(lan)
    yield found
    found.close()


ALL_TYPES = {body.name.lower() for body in layout.BODIES.values()}


def tell_everything(lan: Lan, sniffer: Sniffer) -> None:
    """Three voters with a key, until each type has been said."""
    a, b, c = lan.ranked(3, config=voters("a", "b", "c") + lan.with_key(SECRET))
    lan.start(a, b, c)
    lan.until_led_by("a")
    for verb in (["survey"], ["doctor"], ["history", "--all"]):
        c.kingctl(*verb)
    lan.cut([a], [c], MULTICAST)
    sniffer.until_heard("roster", "report")
    lan.heal()
    until(lambda: a.kingctl("step-down", "--for", "1s").returncode == 0, what="a to step down")
    sniffer.until_heard("offer", "ready", "resign")
    lan.until_led_by("a")
    a.kill()
    lan.until_led_by("b")
    sniffer.until_heard(*ALL_TYPES)


def test_every_type_of_a_real_capture(
    lan: Lan, sniffer: Sniffer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    require(shutil.which("tshark"), "tshark is not installed")
    tell_everything(lan, sniffer)
    said = sniffer.end()
    live = sniffer.objects()
    assert f"kingctl: {len(live)} datagrams" in said
    assert [(each["type"], each["rejected"]) for each in live if each["rejected"]] == []
    show(str(sniffer.pcap), Options(as_json=True))
    recorded = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(recorded) - len(live) in (
        0,
        1,
    )  # a frame is recorded before its line is written, and it is ended in between
    assert [told(each) for each in recorded[: len(live)]] == [told(each) for each in live]
    dissected = tshark.dissect(sniffer.pcap, home=tmp_path)
    payloads = [each.payload for each in CaptureFile(str(sniffer.pcap))]
    assert {each["type"] for each in live} == ALL_TYPES
    for data, ours, theirs in zip(payloads, recorded, dissected, strict=True):
        datagram = decode(data, cluster=int.from_bytes(data[8:16], "big"), seal=Seal([SECRET], requires_key=True))
        header, body = fields.header_of(datagram.header), fields.body_of(datagram)
        assert {name: ours["header"][name] for name in header} == header
        shown = tshark.header_of(theirs)
        assert {name: shown[name] for name in header} == header
        assert ours["body"] == tshark.body_of(theirs, data[3]) == body
    who = {each["from"]["id"]: each["from"]["name"] for each in live}
    assert sorted(filter(None, who.values())) == ["a", "b", "c"]
    death = next(number for number, each in enumerate(live) if each["type"] == "obituary")
    claim = next(each for each in live[death:] if each["type"] == "claim")
    assert live[death]["round"] == claim["round"] is not None


def told(found: dict[str, Any]) -> dict[str, Any]:
    """But for what only one of the two knows: the interface, and names that were told later."""
    known = {key: found[key] for key in ("time", "type", "term", "rejected", "copy", "header", "body")}
    return known | {key: found[key].replace("%br0", "") for key in ("source", "destination")}
