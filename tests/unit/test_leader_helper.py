"""The helper itself, without systemd: when systemd would kill it if it hung, and what is done when it has ended."""

import time

import pytest

from kingd.acting.hearing import Hearing
from kingd.acting.hearing import Said as Heard
from kingd.acting.hold import View as HoldView
from kingd.daemon import leader_target, systemd, target_units
from kingd.daemon.leader_target import Helper, has_time, release
from kingd.daemon.tenure import DEAD_BY_US, KILL_AFTER_US, Said, View

MS = 1_000
UNIT = "web.service"
EXCLUSIVE = Heard(
    found=HoldView.LEADS_NOT, told_us=0, valid_us=0, draining=False, exclusive=True, other_leads=False
)  # only what it is about here


class World:
    """What the daemon says, a unit that ends by SIGKILL only, and what systemd was told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_us = 1_000 * MS
        self.said = Said(view=View.LEADS, valid_us=300 * MS, quorum=True)
        self.done: list[str] = []
        self.living: set[str] = set()
        self.killed_by_us = 0  # by systemd, if it hung from now on
        for name in ("start", "stop", "kill", "pulled", "running"):
            monkeypatch.setattr(target_units, name, getattr(self, f"_{name}"))
        monkeypatch.setattr(leader_target, "now_us", lambda: self.now_us)
        monkeypatch.setattr(leader_target, "_view", lambda line, timeout_s: self.said)
        monkeypatch.setattr(systemd, "watchdog_within", self._watchdog_within)
        monkeypatch.setattr(time, "sleep", lambda seconds: None)
        monkeypatch.setattr(Hearing, "hear", lambda hearing, patience_us: iter([EXCLUSIVE]))
        self.helper = Helper("/no/socket")

    def _start(self) -> None:
        self.living = {UNIT}

    def _pulled(self) -> list[str]:
        return [UNIT]

    def _stop(self, units: list[str]) -> None:
        self.done.append("stop")

    def _kill(self, units: list[str]) -> None:
        self.done.append("kill")
        self.living = set()

    def _running(self, units: list[str]) -> list[str]:
        return list(self.living)

    def _watchdog_within(self, limit_us: int) -> None:
        assert limit_us > 0
        self.killed_by_us = self.now_us + limit_us

    def go_on(self, for_ms: int, step_ms: int = 10) -> None:
        for _ in range(for_ms // step_ms):
            self.now_us += step_ms * MS
            self.helper.turn()


@pytest.mark.parametrize("view", [View.FOLLOWS, View.UNSURE, View.GONE])
def test_helper_that_hangs_at_any_moment_is_killed_early_enough(monkeypatch: pytest.MonkeyPatch, view: View) -> None:
    """Half a second before another host may start its own units; and not before it would have killed them itself."""
    world = World(monkeypatch)
    world.go_on(3_000)
    assert world.living
    ends_us = world.now_us + (world.said.valid_us if view is View.UNSURE else 0)
    world.said = Said(view=view)
    killed_by_us = []
    while world.living:
        killed_by_us.append(world.killed_by_us)
        world.go_on(10)
    assert world.now_us == ends_us + KILL_AFTER_US
    assert max(killed_by_us) <= ends_us + DEAD_BY_US - 500 * MS
    assert killed_by_us[-1] >= ends_us + KILL_AFTER_US + 100 * MS
    world.go_on(3_000)
    assert world.killed_by_us > world.now_us


def test_what_a_helper_has_left_is_killed_before_anything_else_where_there_is_no_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(monkeypatch)
    world.living = {UNIT}
    release(exclusive=True, grace_s=0.0)
    assert world.done == ["kill", "stop"]


@pytest.mark.parametrize(
    ("view", "result", "expected"),
    [
        (View.LEADS, "signal", True),
        (View.LEADS, "watchdog", False),
        (View.FOLLOWS, "signal", False),
        (View.FOLLOWS, "success", True),
    ],
)
def test_units_of_a_helper_that_died_may_end_by_themselves_only_where_this_host_leads(
    monkeypatch: pytest.MonkeyPatch, view: View, result: str, expected: bool
) -> None:
    """Else it may have lost leadership any time ago."""
    world = World(monkeypatch)
    world.said = Said(view=view)
    monkeypatch.setenv("SERVICE_RESULT", result)
    assert has_time("/no/socket") is expected
