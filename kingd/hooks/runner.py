"""The loop of the runner: takes what the daemon says, and delivers what `Delivery` says is next, one file at a time.

While a file runs the loop is in `carry_out`, which asks it (`_limit_s`) whenever there is news: so a hand-over that begins
meanwhile shortens the time that is left. How long all may take is in docs/hooks.md."""

import os
import select
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from kingd.config import ConfigError
from kingd.control.client import JsonObject, KingdError, call
from kingd.daemon import systemd
from kingd.daemon.clock import moment
from kingd.hooks.delivery import Moment
from kingd.hooks.folder import hooks_in
from kingd.hooks.hook import Ended, Run, carry_out
from kingd.hooks.listener import DRAIN_NAME, Draining, Gone, Listener, News, Signal, Told
from kingd.hooks.output import Output
from kingd.hooks.record import Record
from kingd.hooks.words import (
    Facts,
    environment,
    facts_of,
    is_for_keepalived,
    keepalived_arguments,
    keepalived_state,
    standard_input,
)
from kingd.log import Logger
from kingd.records import dataclass

_PATIENCE_S = 0.5  # for an answer of the daemon
_AGAIN_S = 0.5
_RETRIES_S = (0.5, 1.0, 2.0)  # before each
_RETRIED_CODE = 1
_URGENT_S_MAX = 28.0  # with what it takes to kill, less than the 30 s after which the daemon gives a hand-over up

_log = Logger("kingd.hooks")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """[hooks] of the configuration."""

    folder: Path
    timeout_s: float


class Runner:
    def __init__(self, socket: str, *, instance: str, record: Record, reread: Callable[[], Settings]) -> None:
        """`instance`: as what keepalived's scripts know it."""
        self._socket, self._instance = socket, instance
        self._reread, self._settings = reread, reread()
        self._record = record
        self._delivery = record.load()
        self._listener = Listener(socket)
        self._facts = Facts()
        self._refused: dict[Path, str] = {}
        self._failed: set[tuple[Path, str]] = set()
        self._keepalived: dict[Path, str] = {}  # what each script was told last
        self._urgent_s = 0.0  # when it became urgent to end (time.monotonic); 0 = it is not

    def is_idle(self) -> bool:
        """There is nothing to run, and nothing to take back."""
        return not self._hooks() and self._delivery.open is None

    def run(self) -> None:
        """Until SIGTERM, and until what is to be delivered before the end has been."""
        self._listener.start()
        while True:
            self._take_news()
            event = self._delivery.next(_now())
            if event is not None and not self._is_over(event):
                self._deliver(event)
            elif event is not None:
                self._wait(again=True)
            elif self._delivery.stopping:
                if self._delivery.is_drained:
                    self._say_drained()
                self._record.save(self._delivery, is_finished=True)
                return
            else:
                self._wait()

    def _is_over(self, event: JsonObject) -> bool:
        """`elected`, of a leadership that has ended already: what tells of that is still on its way to us."""
        if event["event"] != "elected":
            return False
        self._facts = Facts()  # what it said last is not good enough
        self._ask()
        return not self._facts.leads

    def _wait(self, *, again: bool = False) -> None:
        is_drained = self._delivery.is_drained
        if is_drained:
            self._say_drained()
        poll = select.poll()
        poll.register(self._listener.woken, select.POLLIN)
        poll.poll(_AGAIN_S * 1000 if is_drained or again else None)

    def _say_drained(self) -> None:
        """Again and again, until the daemon says that it is over."""
        try:
            call(self._socket, "Drained", {"name": DRAIN_NAME}, timeout_s=_PATIENCE_S)
        except KingdError as error:
            _log.warning("the daemon does not hear that all has ended here: %s", error)

    # -- news ----------------------------------------------------------------------------------------------------------

    def _take_news(self) -> None:
        for news in self._listener.news():
            self._take(news)
        is_urgent = self._delivery.draining or self._delivery.stopping
        self._urgent_s = (self._urgent_s or time.monotonic()) if is_urgent else 0.0

    def _take(self, news: News) -> None:
        match news:
            case Told(event):
                self._delivery.told(event)
            case Gone():
                self._delivery.lost(_now())
            case Draining(on):
                if on == self._delivery.draining:
                    self._reload()  # nothing else makes the daemon say it again
                self._delivery.drain(on)
            case Signal(signal.SIGHUP):
                self._reload()
            case Signal():
                systemd.stopping()
                self._delivery.stop()

    def _reload(self) -> None:
        try:
            self._settings = self._reread()
        except ConfigError as error:
            _log.error("reload: nothing was changed: %s", error)

    # -- delivery ------------------------------------------------------------------------------------------------------

    def _deliver(self, event: JsonObject) -> None:
        self._ask()
        hooks = self._hooks()
        self._delivery.begin(event)
        self._record.save(self._delivery, is_finished=False)
        what = f"{event['event']}, term {event['term']}"
        _log.info("%s, seq %s: %d hooks", what, event["seq"], len(hooks))
        systemd.status(f"{what}: {len(hooks)} hooks")
        for number, file in enumerate(hooks):
            if event["event"] != "deposed" and self._delivery.is_newer_waiting(event):
                _log.info(
                    "%s: the state has moved on, skipping %s", what, ", ".join(each.name for each in hooks[number:])
                )
                break
            self._run(file, event, f"{file.name} ({what})")
            self._take_news()
            if self._delivery.draining and time.monotonic() >= self._urgent_limit_s(event):
                self._say_drained()  # the remaining ones run when leadership has gone
        self._delivery.end(event)
        self._record.save(self._delivery, is_finished=True)

    def _ask(self) -> None:
        try:
            self._facts = facts_of(call(self._socket, "Status", timeout_s=_PATIENCE_S))
        except KingdError:
            return  # it is gone, or about to: what it said last is good enough

    def _hooks(self) -> list[Path]:
        """Each that is refused is named once, and again when the reason is another one."""
        hooks, refused = hooks_in(self._settings.folder)
        for path, reason in refused.items():
            if self._refused.get(path) != reason:
                _log.warning("%s is not run: %s", path, reason)
        self._refused = refused
        return hooks

    def _run(self, file: Path, event: JsonObject, tag: str) -> None:
        arguments: list[str] = []
        if is_for_keepalived(file.name):
            state = keepalived_state(event, self._facts)
            if self._keepalived.get(file) == state:
                return
            self._keepalived[file] = state
            arguments = keepalived_arguments(state, instance=self._instance, priority=self._facts.priority)
        run = Run(
            file=file,
            arguments=arguments,
            environment=environment(event, self._facts, os.environ),
            standard_input=standard_input(event),
        )
        for pause_s in (*_RETRIES_S, None):
            ended = carry_out(
                run,
                woken=self._listener.woken,
                limit_s=partial(self._limit_s, time.monotonic(), event),
                output=Output(tag),
            )
            self._judge(ended, file, tag)
            if ended.code != _RETRIED_CODE or pause_s is None or not self._may_retry(event, pause_s):
                return
            _log.info("%s: once more", tag)

    def _limit_s(self, began_s: float, event: JsonObject) -> float:
        self._take_news()
        limit_s = began_s + self._settings.timeout_s
        urgent_s = self._urgent_limit_s(event)
        return min(limit_s, urgent_s) if began_s < urgent_s else limit_s

    def _urgent_limit_s(self, event: JsonObject) -> float:
        """The one time for all files: what is over gets a half of it, so that there is time for `deposed`."""
        if not self._urgent_s:
            return float("inf")
        whole_s = min(self._settings.timeout_s, _URGENT_S_MAX)
        return self._urgent_s + (whole_s if event["event"] == "deposed" else whole_s / 2)

    def _may_retry(self, event: JsonObject, pause_s: float) -> bool:
        """After the pause, if the state does not move on meanwhile."""
        end_s = time.monotonic() + pause_s
        poll = select.poll()
        poll.register(self._listener.woken, select.POLLIN)
        while True:
            self._take_news()
            limit_s, now_s = self._urgent_limit_s(event), time.monotonic()
            if self._delivery.is_newer_waiting(event) or now_s >= limit_s:
                return False
            if now_s >= end_s:
                return True
            poll.poll((min(end_s, limit_s) - now_s) * 1000 + 1)

    def _judge(self, ended: Ended, file: Path, tag: str) -> None:
        if ended.why_not:
            self._tell_once(file, tag, f"it cannot be run: {ended.why_not}")
        elif ended.code is None:
            _log.warning("%s: its time was up; ended, with all that it had started", tag)
        elif ended.code:
            what = f"exit code {ended.code}" if ended.code > 0 else f"signal {-ended.code}"
            _log.warning("%s: %s", tag, what)
        if ended.code is not None and ended.had_left:
            self._tell_once(file, tag, f"it left {ended.had_left} processes behind, which were ended")
        if ended.remain:
            _log.error("%s: even SIGKILL did not end %s", tag, ", ".join(map(str, ended.remain)))

    def _tell_once(self, file: Path, tag: str, sentence: str) -> None:
        if (file, sentence) not in self._failed:
            self._failed.add((file, sentence))
            _log.warning("%s: %s", tag, sentence)


def _now() -> Moment:
    return Moment(moment(time.time()), time.clock_gettime_ns(time.CLOCK_MONOTONIC))
