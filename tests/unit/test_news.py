"""What a watcher is told first is the state now, in the shape of the change that brought it about: both tell the same."""

from typing import cast

import pytest

from kingd.control.service import JsonObject
from kingd.core.effect import EventKind
from kingd.core.wire.message import Grant
from kingd.daemon import news
from kingd.daemon.news import News
from kingd.loop import Loop
from tests.unit.scripted import Bench, Peer
from tests.unit.test_evidence import followed


class NoLoop:
    def call_later(self, *_: object) -> None:
        """Of what it would do later nothing is asked here."""


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    """It led after its leader had fallen silent, and the one peer that is there agreed."""
    other = Peer(node=60, priority=50)
    found, _ = followed(other)
    found.advance_ms(511)
    found.hear(other, Grant(term=found.claim.term, attempt=found.claim.attempt))
    monkeypatch.setattr(news, "now_us", lambda: found.now_us)
    return found


def test_first_tells_the_same_as_the_change(bench: Bench) -> None:
    told = News(bench.core, cast(Loop, NoLoop()), here=lambda: None)
    for event in bench.told():
        told.tell(event)
    seen: list[JsonObject | None] = []
    told.watch(seen.append)
    [first] = seen
    elected = next(each for each in told.history() if each["event"] == EventKind.ELECTED)
    assert "1 of 1 peer agrees" in str(elected["evidence"])
    assert first == elected | {"initial": True, "seq": told.count}
