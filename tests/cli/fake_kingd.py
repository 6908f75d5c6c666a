"""A daemon without an election: the real control server on a thread of its own, with answers that a test chooses."""

import contextlib
import copy
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from kingd.control.server import FIRST_LOOK_S, ControlServer
from kingd.control.service import Answer, JsonObject, Push, ServiceError, Tell
from kingd.daemon.clock import now_us
from kingd.daemon.holders import Holders
from kingd.loop import Loop, Timer
from tests.cli.fake_doctor import examined
from tests.cli.fake_hold import beat, held
from tests.cli.fake_past import histories

BOX1: JsonObject = {
    "id": "00000000000000a1",
    "name": "box1",
    "priority": 300,
    "address": "10.0.0.1:5466",
    "tags": {"url": "http://box1/"},
}
BOX2: JsonObject = {"id": "00000000000000a2", "name": "box2", "priority": 200, "address": "10.0.0.2:5466", "tags": {}}


def status(
    *, role: str, leader: JsonObject | None, reason: str | None = "leader-timeout", **more: object
) -> JsonObject:
    """This node is box2."""
    return {
        "version": 1,
        "cluster": "default",
        "mode": "availability",
        "node": {
            **{key: BOX2[key] for key in ("id", "name", "priority", "address")},
            "configured_priority": 200,
            "role": role,
            "eligible": True,
            "ineligible_reason": None,
            "ineligible_ms": None,
            "version": "0.1.0",
        },
        "leader": leader,
        "term": 12,
        "leader_age_ms": None if leader is None else 37,
        "valid_ms": None if leader is None else 60_000,
        "since": "2026-11-23T12:00:00.000Z",
        "reason": reason,
        "members": {"alive": 2, "dead": 1},
        "quorum": {"voters": [], "reachable": 2, "missing": [], "ok": True},
        "strangers": [{"address": "10.0.0.9:5466", "why": "other-cluster", "last_seen_ms": 900}],
        "problems": [],
        "rejected": {"other-cluster": 3, "replay": 7},
        "rejected_lately": {"other-cluster": 2},
        "security": {"mode": "enforce", "keys": [17, 4]},
        **more,
    }


def event(kind: str, *, role: str, leader: JsonObject | None, seq: int = 1, **more: object) -> JsonObject:
    return {
        "version": 1,
        "event": kind,
        "time": "2026-11-23T12:00:00.000Z",
        "monotonic_ns": 1_000_000_000 + seq,
        "role": role,
        "previous_role": "candidate",
        "term": 12,
        "seq": seq,
        "leader": leader,
        "previous_leader": None,
        "reason": "leader-timeout",
        "evidence": {"words": "last heard 512 ms ago, 5 heartbeats missed", "silent_ms": 512, "heartbeats_missed": 5},
        "repeat": 1,
        "member": None,
        "initial": False,
        **more,
    }


def member(node: JsonObject, *, role: str, last_heard_ms: int | None, state: str = "alive") -> JsonObject:
    return {
        **{key: node[key] for key in ("id", "name", "priority", "address")},
        "role": role,
        "state": state,
        "eligible": True,
        "ineligible_reason": None,
        "last_heard_ms": last_heard_ms,
        "version": "0.1.0",
    }


def view(node: JsonObject, *, leader: str | None, ok: bool = True, rtt_ms: float | None = 0.8) -> JsonObject:
    return {
        **{key: node[key] for key in ("id", "name", "priority")},
        "leader": leader,
        "term": 12,
        "ok": ok,
        "eligible": True,
        "ineligible_reason": None,
        "rtt_ms": rtt_ms,
    }


class FakeService:
    """Every answer is an attribute; one that is an exception is raised. `watch` yields what `emit` is given. `hold` says what
    `status_is` says, and when that has changed: at its next heartbeat, at `emit`, or at `tell_to_drain`."""

    def __init__(self) -> None:
        self.names_held: list[str] = []
        self.status_is: JsonObject | Exception = status(role="follower", leader=BOX1)
        self.members_are: JsonObject = {
            "version": 1,
            "members": [
                member(BOX1, role="leader", last_heard_ms=37),
                member(BOX2, role="follower", last_heard_ms=None),
            ],
        }
        self.history_is: JsonObject = {"version": 1, "events": [event("leader-changed", role="follower", leader=BOX1)]}
        self.counters_are: JsonObject = {
            "version": 1,
            "sent": {"heartbeat": 0, "claim": 3},
            "received": {"heartbeat": 70, "claim": 0},
            "rejected": {"replay": 7, "late": 0},
            "retransmits": 2,
            "loop_lag_us": 1500,
            "leader_changes": {"joined": 1, "leader-timeout": 2},
            "last_leader_change_ms": 1_795_946_400_250,
            "elections": {"bounds_ms": [1, 1000], "counts": [1, 1, 1], "sum_us": 2_500_000},
            "overlap_us": 3_000_000,
        }
        self.examine_fails: ServiceError | None = None
        self.examined_is: JsonObject | Exception = examined(BOX1)
        self.survey_is: JsonObject = {
            "version": 1,
            "agree": True,
            "nodes": [view(BOX2, leader="box1", rtt_ms=None), view(BOX1, leader="box1")],
        }
        self.histories_are = histories(BOX2, BOX1)
        self.present = event("leader-changed", role="follower", leader=BOX1, initial=True)
        self.refusal: ServiceError | None = None
        self.calls: list[tuple[str, object]] = []
        self.watchers: list[Tell] = []
        self.draining = False
        self.drainers: dict[str, Tell] = {}
        self.answer_delay_s = 0.0
        self.answered = 0
        self.reloads = 0
        self.saves = True
        self.on_status: Callable[[], None] | None = None
        self.surveys = 0
        self._heartbeat: Timer | None = None

    @cached_property
    def loop(self) -> Loop:
        """Of who serves this; some tests want the answers only."""
        return Loop()

    @cached_property
    def _holders(self) -> Holders:
        return Holders(self.loop, self._held)

    def status(self) -> JsonObject:
        self.answered += 1
        if self.on_status is not None:
            self.on_status()
        if isinstance(self.status_is, Exception):
            raise self.status_is
        return copy.deepcopy(self.status_is)

    def members(self) -> JsonObject:
        return self.members_are

    def counters(self) -> JsonObject:
        return self.counters_are

    def history(self) -> JsonObject:
        return self.history_is

    def examine(self, for_ms: int) -> JsonObject:
        if self.examine_fails is not None:
            raise self.examine_fails
        return {"version": 1, "run": "00000000000000e1", "for_ms": for_ms}

    def examined(self, run: str) -> JsonObject:
        if isinstance(self.examined_is, Exception):
            raise self.examined_is
        return {**self.examined_is, "run": run}

    def survey(self, answer: Answer) -> None:
        self.surveys += 1
        self.loop.call_later(self.answer_delay_s, lambda: answer(self.survey_is))

    def histories(self, answer: Answer) -> None:
        self.loop.call_later(0, lambda: answer(self.histories_are))

    def watch(self, tell: Tell) -> Callable[[], None]:
        self.watchers.append(tell)
        tell(self.present)
        return lambda: self.watchers.remove(tell)

    def drain(self, name: str, tell: Tell) -> Callable[[], None]:
        self.drainers[name] = tell
        tell(_drain(self.draining))

        def end() -> None:
            del self.drainers[name]

        return end

    def hold(self, name: str | None, push: Push) -> Callable[[], None]:
        if name is not None:
            self.names_held.append(name)
        leave = self._holders.add(push)
        if self._heartbeat is None:
            self._beat()

        def end() -> None:
            leave()
            if name is not None:
                self.names_held.remove(name)

        return end

    def _beat(self) -> None:
        assert isinstance(self.status_is, dict)
        again_s = beat(self._holders, self.status_is)
        self._heartbeat = self.loop.call_later(again_s, self._beat)

    def _held(self) -> JsonObject:
        told_us = now_us()
        self.answered += 1
        if self.on_status is not None:
            self.on_status()
        assert isinstance(self.status_is, dict)
        return held(self.status_is, told_us=told_us, draining=self.draining)

    def tell_to_drain(self, draining: bool | None) -> None:
        """To all who asked; None ends their streams. On the server's loop only (`FakeKingd.do`)."""
        self.draining = bool(draining)
        for tell in list(self.drainers.values()):
            tell(None if draining is None else _drain(draining))
        self._holders.changed()

    def drained(self, name: str) -> JsonObject:
        self._record("drained", name)
        return {"version": 1}

    def step_down(self, answer: Answer, *, to: str | None, for_ms: int) -> None:
        self._record("step_down", (to, for_ms))
        answer({"version": 1, "leader": BOX1})

    def set_priority(self, priority: int) -> JsonObject:
        self._record("set_priority", priority)
        return {"version": 1, "priority": priority, "previous": 200, "persistent": False}

    def set_fitness(self, name: str, *, unfit: str | None, for_ms: int) -> JsonObject:
        self._record("set_fitness", (name, unfit, for_ms))
        return {"version": 1, "eligible": unfit is None, "reloads": self.reloads}

    def set_maintenance(self, answer: Answer, *, on: bool, for_ms: int | None, reason: str) -> None:
        self._record("set_maintenance", (on, for_ms, reason))
        until = None if for_ms is None else "2026-11-23T12:00:00.000Z"
        answer({"version": 1, "on": on, "until": until, "saved": self.saves})

    def reload(self) -> JsonObject:
        self._record("reload", None)
        answer: JsonObject = {"version": 1, "applied": ["priority"], "needs_restart": ["network.port"]}
        return answer | {"pending": [], "notes": ["so be it"]}

    def emit(self, each: JsonObject | None) -> None:
        """To every watcher; None ends their streams. On the server's loop only (`FakeKingd.do`)."""
        for tell in list(self.watchers):
            tell(each)
        self._holders.changed()

    def _record(self, name: str, value: object) -> None:
        self.calls.append((name, value))
        if self.refusal is not None:
            raise self.refusal


def _drain(draining: bool) -> JsonObject:
    return {"version": 1, "draining": draining}


class FakeKingd:
    """A running server. `failures`: what came out of the loop, which in the daemon ends the process."""

    def __init__(self, service: FakeService, path: Path, group: str) -> None:
        self.service = service
        self.path = path
        self.server = ControlServer(service, service.loop, path=path, group=group)
        self.failures: list[BaseException] = []
        self._loop = service.loop
        self._has_ended = False
        self._thread = threading.Thread(target=self._run)

    def do(self, action: Callable[[], object]) -> None:
        """Run it on the server's loop, and wait for that."""
        done: Future[object] = Future()

        def run() -> None:
            try:
                done.set_result(action())
            except Exception as error:
                done.set_exception(error)

        self._loop.call_from_thread(run)
        done.result(10)

    def start(self) -> None:
        self._thread.start()
        self.do(self.server.start)
        self.do(lambda: self.server.look_up_group(wait_s=FIRST_LOOK_S))

    def close(self) -> None:
        self.do(self.server.close)

    def end(self) -> None:
        self.close()
        self._loop.call_from_thread(self._end)
        self._thread.join(10)
        self._loop.close()

    def _run(self) -> None:
        while not self._has_ended:
            try:
                self._loop.run()
            except Exception as error:
                self.failures.append(error)

    def _end(self) -> None:
        self._has_ended = True
        self._loop.stop()


@contextmanager
def running(path: Path, service: FakeService | None = None, *, group: str = "kingd") -> Iterator[FakeKingd]:
    kingd = FakeKingd(service or FakeService(), path, group)
    with contextlib.ExitStack() as stack:
        stack.callback(kingd.end)
        kingd.start()
        yield kingd
