"""What a start leaves for later is done when it is over."""

import gc
from typing import Any

import pytest

from kingd import records
from kingd.daemon import after_start
from kingd.loop import Loop


def test_nothing_is_left_that_a_failover_would_make_slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = Loop()
    monkeypatch.setattr(gc, "freeze", lambda: None)
    monkeypatch.setattr(gc, "enable", loop.stop)  # it comes last

    @records.dataclass
    class Fresh:
        number: int

    init: Any = Fresh.__init__
    after_start.load(loop)
    loop.run()
    loop.close()
    assert Fresh.__init__ is not init
    assert not records.compile_one()
