"""The examples of docs/client.md, as they stand there, run."""

import re
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import kingd.client
from kingd.cli.main import run
from kingd.client import DaemonNotRunning
from tests.cli.fake_kingd import BOX2, FakeKingd, event
from tests.cli.runs import LIMIT_S, until

PAGE = (Path(__file__).parents[2] / "docs" / "client.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
SAID = {
    "if client.is_leader()": ["this host leads", "box2 12 None"],
    "watch()": ["elected box2 leader-timeout"],
    "nightly": ["sent 1 12", "sent 2 12"],
    "kill=True": [],
    "asyncio.run": ["name='box2'", "True", "worked 12"],
}


class Around:
    """What the examples take from the program around them."""

    def batches(self) -> list[int]:
        return [1, 2]

    def send(self, batch: int, *, timeout: float, fencing_token: int) -> None:
        assert timeout > 0
        sys.stdout.write(f"sent {batch} {fencing_token}\n")

    async def work(self, *, fencing_token: int) -> None:
        sys.stdout.write(f"worked {fencing_token}\n")


def test_every_example_is_here() -> None:
    assert [[each for each in SAID if each in example] for example in EXAMPLES] == [[each] for each in SAID]


@pytest.mark.parametrize("which", SAID)
def test_example_runs(kingd: FakeKingd, capsys: pytest.CaptureFixture[str], which: str) -> None:
    (example,) = [each for each in EXAMPLES if which in each]
    around = Around()
    names = {name: getattr(around, name) for name in ("batches", "send", "work")}
    kingd.service.present = event("elected", role="leader", leader=BOX2, initial=True)
    run = compile(example, "docs/client.md", "exec")
    if "watch()" in example:
        watched(kingd, lambda: exec(run, names))
    else:
        exec(run, names)
    said = capsys.readouterr().out
    assert [each for each in SAID[which] if each not in said] == []
    assert said or not SAID[which]


def watched(kingd: FakeKingd, example: Callable[[], None]) -> None:
    """It goes on until the daemon ends."""

    def end() -> None:
        until(lambda: kingd.service.watchers)
        kingd.do(lambda: kingd.service.emit(None))

    thread = threading.Thread(target=end)
    thread.start()
    with pytest.raises(DaemonNotRunning):
        example()
    thread.join(LIMIT_S)


def test_nobody_is_sent_to_kingds_own_port_for_a_service(capfd: pytest.CaptureFixture[str]) -> None:
    """The example of `kingd.client` connected to the leader's `address`, which is where its kingd listens."""
    assert kingd.client.__doc__ is not None
    for text in (kingd.client.__doc__, *EXAMPLES):
        assert "leader.address" not in text
    assert 'leader.tags["url"]' in kingd.client.__doc__
    assert run(["leader", "--help"]) == 0
    said = " ".join(capfd.readouterr().out.split())
    assert (
        "Where its service is found, the leader announces in its tags: --tag url. --address is kingd's own UDP port."
        in said
    )


def test_tests_of_the_page_are_there() -> None:
    here = Path(__file__).parents[1]
    sources = "".join(path.read_text() for path in (*here.glob("cli/test_client*.py"), here / "daemon/test_client.py"))
    named = re.findall(r"`(test_\w+)`", PAGE)
    assert named
    assert [name for name in named if f"def {name}(" not in sources] == []
