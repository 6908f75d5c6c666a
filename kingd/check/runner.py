"""The loop of the process that checks: run the command, judge, tell the daemon, wait.

While the command runs the loop is in `carry_out`, which asks it for the limit whenever there is news, and ends the whole tree
of what the command has started when its time is up."""

import os
import select
import shutil
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from kingd.check import memory
from kingd.check.memory import Kept, Memory
from kingd.check.teller import Teller
from kingd.check.verdict import Verdict
from kingd.config import Config, ConfigError
from kingd.config.commands import COMMAND_PATH
from kingd.daemon import systemd
from kingd.hooks import descendants
from kingd.hooks.hook import Ended, Run, carry_out
from kingd.hooks.output import Output
from kingd.hooks.trust import why_untrusted
from kingd.log import INFO, WARNING, Logger

_KEPT = ("PATH", "LANG", "TZ", "HOME", "USER", "LOGNAME", "SHELL")  # of our own environment
_UNHEARD_S = 10.0  # beside the check's own time: so long a word counts that nobody renews

_SAID_SIZE_MAX = 1000  # bytes

_log = Logger("kingd.check")


class LastLine(Output):
    """Of what the command says only the last line counts, however much it says; the log has it with the failure."""

    def __init__(self) -> None:
        super().__init__("check")
        self._last = b""

    def take(self, data: bytes) -> None:
        self._last = (self._last + data)[-_SAID_SIZE_MAX:]

    def end(self) -> None:
        pass

    @property
    def line(self) -> str:
        words = self._last.decode(errors="replace").strip()
        return words.rpartition("\n")[2].strip()


class Runner:
    def __init__(self, socket: str, config: Config, *, reread: Callable[[], Config]) -> None:
        """`reread`: ConfigError."""
        self.check, self._reread = config.check, reread
        self._verdict = Verdict(rise=config.check.rise, fall=config.check.fall)
        self._teller = Teller(socket, good_for_s=self._good_for_s, reloaded=self._on_reloaded)
        self._woken, self._waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._is_to_end = self._is_to_reload = False
        self._said = ""  # in the log
        self._remain: Sequence[int] = ()  # process ids of an earlier run
        self._unfit = ""  # why, by the last run that failed
        self._memory = Memory(memory.folder(), socket)

    def run(self) -> None:
        """Until SIGTERM, or until there is nothing to check any more."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        self._resume()
        self._teller.start()
        while self.check.command and not self._is_to_end:
            began_s = time.monotonic()
            self.once()
            self._wait(began_s + self.check.interval_us / 1e6)
            self._reload_if_asked()

    def _resume(self) -> None:
        """Where a process before this one was."""
        kept = self._memory.recall(self.check.command)
        if kept is not None:
            self._verdict.resume(fit=kept.fit, row=kept.row)
            self._unfit = kept.unfit
            self._teller.tell(None if kept.fit else kept.unfit, for_s=kept.end_s - memory.now_s())

    # -- one run -------------------------------------------------------------------------------------------------------

    def once(self) -> None:
        """None as long as there is something of an earlier one: each would leave more. Then the verdict comes to its end."""
        self._note_remaining(descendants.kill_again())
        if self._remain:
            systemd.status(f"not run: {', '.join(map(str, self._remain))} of an earlier run cannot be ended")
            return
        ended, said = self._run_once(time.monotonic())
        self._note_remaining(ended.remain)
        if not self._is_to_end:
            self._judge(ended, said)

    def _note_remaining(self, pids: Sequence[int]) -> None:
        if pids and not self._remain:
            _log.error(
                "%s: even SIGKILL did not end %s; it is not run again as long as that is there: find out what it waits for, "
                "such as a network disk that does not answer",
                self.check.command[0],
                ", ".join(map(str, pids)),
            )
        elif self._remain and not pids:
            _log.warning("%s: nothing of it is left any more: it is run again", self.check.command[0])
        self._remain = pids

    def _run_once(self, began_s: float) -> tuple[Ended, str]:
        program, *arguments = self.check.command
        file = shutil.which(program, path=COMMAND_PATH)
        if file is None:
            return Ended(why_not="there is no such program, or it is not executable"), ""
        try:
            why_not = why_untrusted(Path(file))
        except OSError as error:  # it has just gone
            why_not = f"{error.strerror}"
        if why_not:
            return Ended(why_not=f"{file}: {why_not}"), ""
        output = LastLine()
        run = Run(file=Path(file), arguments=arguments, environment=environment(os.environ), standard_input=b"")
        limit_s = partial(self._limit_s, began_s + self.check.timeout_us / 1e6)
        return carry_out(run, woken=self._woken, limit_s=limit_s, output=output), output.line

    def _limit_s(self, end_s: float) -> float:
        self._clear_news()
        return 0.0 if self._is_to_end else end_s

    def _judge(self, ended: Ended, said: str) -> None:
        """A failure is told in the log when it is another one than the last time; whether it counts, `Verdict` says."""
        why = failure(ended, timeout_s=self.check.timeout_us / 1e6, said=said)
        changed = self._verdict.note(ok=not why)
        if why != self._said:
            self._said = why
            _log.log(WARNING if why else INFO, "%s: %s", self.check.command[0], why or "succeeds")
        if changed:
            _log.warning("this host is %s", "fit to lead" if self._verdict.fit else f"not fit to lead: {why}")
        self._unfit = why or self._unfit
        self._teller.tell(None if self._verdict.fit else self._unfit, for_s=self._stands_for_s())
        end_s = memory.now_s() + self._stands_for_s()
        self._memory.keep(self.check.command, Kept(self._verdict.fit is True, self._verdict.row, self._unfit, end_s))
        systemd.status(self._sentence(why))

    def _sentence(self, why: str) -> str:
        verdict = "fit" if self._verdict.fit else "not fit"
        row = f" ({self._verdict.row} of {self._verdict.needed} that would change it)" if self._verdict.row else ""
        return f"{verdict}{row}; last run: {why or 'success'}"

    def _good_for_s(self) -> float:
        return self.check.timeout_us / 1e6 + _UNHEARD_S

    def _stands_for_s(self) -> float:
        """By then there is another verdict, unless this loop hangs."""
        return (self.check.interval_us + self.check.timeout_us) / 1e6 + _UNHEARD_S

    # -- between the runs ----------------------------------------------------------------------------------------------

    def _wait(self, until_s: float) -> None:
        """Or until there is news."""
        poll = select.poll()
        poll.register(self._woken, select.POLLIN)
        while not (self._is_to_end or self._is_to_reload) and (left_s := until_s - time.monotonic()) > 0:
            poll.poll(left_s * 1000 + 1)
            self._clear_news()

    def _clear_news(self) -> None:
        with suppress(BlockingIOError):
            os.read(self._woken, 4096)

    def _on_signal(self, number: int, _frame: object) -> None:
        if number == signal.SIGHUP:
            self._is_to_reload = True
        else:
            self._is_to_end = True

    def _on_reloaded(self) -> None:
        """By the teller's thread."""
        self._is_to_reload = True
        with suppress(BlockingIOError):  # it is awake
            os.write(self._waker, b".")

    def _reload_if_asked(self) -> None:
        if not self._is_to_reload:
            return
        self._is_to_reload = False
        try:
            self.check = self._reread().check
        except ConfigError as error:
            _log.error("reload: nothing was changed: %s", error)
            return
        self._verdict.configure(rise=self.check.rise, fall=self.check.fall)


def failure(ended: Ended, *, timeout_s: float, said: str) -> str:
    """Why the run was none that succeeded; "" = it was."""
    if ended.why_not:
        return f"it cannot be run: {ended.why_not}"
    if ended.code == 0:
        return ""
    if ended.code is None:
        how = f"no answer within {timeout_s:g} s"
    else:
        how = f"exit code {ended.code}" if ended.code > 0 else f"signal {-ended.code}"
    return how + (f": {said}" if said else "")


def environment(ours: Mapping[str, str]) -> dict[str, str]:
    return {"PATH": COMMAND_PATH} | {name: ours[name] for name in ours if name in _KEPT or name.startswith("LC_")}
