"""`Core.standing`, by which a driver sees that what `status` says has changed: many changes are no event, or not at once."""

from collections.abc import Callable
from typing import Any

import pytest

from kingd.core.effect import Effect
from kingd.core.election import Core
from kingd.core.wire.message import Reason
from kingd.sim.options import draw
from kingd.sim.swarm import run

pytestmark = pytest.mark.sim

SEEDS = range(20)

Entry = Callable[..., list[Effect]]


def said(core: Core, now_us: int) -> tuple[object, ...] | None:
    """Of leadership. None: not sure, and so to be asked again soon."""
    facts = core.status(now_us)
    is_unsure = facts.leader is None and facts.reason is Reason.STALLED
    return None if is_unsure else (facts.role, facts.ballot)


def test_what_a_step_changes_of_leadership_changes_the_standing(monkeypatch: pytest.MonkeyPatch) -> None:
    changes = 0

    def checked(entry: Entry) -> Entry:
        def enter(core: Core, *arguments: Any, now_us: int, **named: Any) -> list[Effect]:
            nonlocal changes
            former, standing = said(core, now_us), core.standing
            effects = entry(core, *arguments, now_us=now_us, **named)
            now = said(core, now_us)
            if former is not None and now is not None and now != former:
                changes += 1
                assert core.standing != standing
            return effects

        return enter

    for entry in (Core.receive, Core.tick):
        monkeypatch.setattr(Core, entry.__name__, checked(entry))
    for seed in SEEDS:
        result = run(draw(seed))
        assert not result.outcome, f"seed {seed}: {result.outcome.name} {result.message}"
    assert changes > 10 * len(SEEDS)
