"""The front of a run: the process that the caller knows. It passes signals on, lends the terminal to the command, and is the
dead-man of the keeper: where that was killed, or does not run, the front kills all that the command has started, at the
time that stands in the ledger.

It asks nobody anything, so it has nothing to wait for. When it returns, nothing runs any more."""

import os
import select
import signal
import traceback
from contextlib import suppress

from kingd.acting.linux import BootTimer, adopt_orphans
from kingd.acting.run.job import Job, tell
from kingd.acting.run.keeper import Keeper
from kingd.acting.run.killing import Killing
from kingd.acting.run.ledger import Entry, Ledger
from kingd.acting.run.terminal import hand_over, holder
from kingd.acting.tree import Process, Tree, look, own_group, signal_group
from kingd.cli.exits import LOST, SOFTWARE, UNKNOWN, attempt
from kingd.control.validity import now_us

_SECOND = 1_000_000
_AGAIN_US = 20_000
# With a keeper whose command was killed, and who has not told how it ended; with one that somebody has stopped.
_PATIENCE_US, _PATIENCE_STOPPED_US = 5 * _SECOND, 300_000
_PASSED_ON = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGCONT", "SIGWINCH", "SIGTSTP")
_SIGNALS = frozenset(signal.Signals[name] for name in _PASSED_ON)
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


class Front:
    def __init__(self, job: Job) -> None:
        self._job = job
        self._ledger = Ledger()
        self._timer = BootTimer()
        self._signals, self._signalled = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._notes, self._noted = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._opened = [self._signals, self._signalled, self._notes, self._noted]
        self._tree = Tree(own_group(f"kingctl-run-{os.getpid()}"))
        self._pending = b""  # signals that came before there was anybody to pass them on to
        self._stops = 0  # that were seen
        self._code: int | None = None  # the keeper's
        self._killing = Killing(self._tree)
        self._has_killed_command = False

    @property
    def _group(self) -> int:
        """The command's, which may have ended; 0 = not known yet."""
        return self._ledger[Entry.LAST_GROUP]

    @property
    def has_started(self) -> bool:
        """Something was executed, or could not be."""
        return bool(self._ledger[Entry.STARTED] or self._ledger[Entry.BEGUN])

    @property
    def has_ended_it(self) -> bool:
        """The command did not end by itself."""
        return self._has_killed_command or bool(self._ledger[Entry.ENDED])

    def run(self) -> int:
        """The exit code. Nothing is open then that was not before: there may be another attempt."""
        try:
            return self._run()
        finally:
            signal.set_wakeup_fd(-1)
            for fd in self._opened:
                os.close(fd)
            self._timer.close()

    def _run(self) -> int:
        adopt_orphans()
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        self._keeper = self._fork()
        self._keeper_end = os.pidfd_open(self._keeper)
        self._opened.append(self._keeper_end)
        signal.set_wakeup_fd(self._signalled, warn_on_full_buffer=False)
        for number in _SIGNALS - self._job.ignored:
            signal.signal(number, lambda *_: None)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        while not self._turn():
            self._pause()
        self._take_terminal()
        self._tree.remove()
        self._job.say_drained(self._ledger)  # the keeper's connections have ended: nobody can be told any more
        assert self._code is not None
        return self._code if self.has_started else self._ended_before() or self._code

    def _ended_before(self) -> int:
        """Somebody ended us before anything was executed: 128 + the signal."""
        return next((128 + number for number in self._pending if number in _ENDING), 0)

    def _fork(self) -> int:
        front = os.getpid()
        pid = os.fork()
        if pid:
            return pid
        code = SOFTWARE
        try:
            code = attempt(self._keep(front).run, otherwise=UNKNOWN)
            if os.getppid() != front:
                self._tree.remove()
            self._job.say_drained(self._ledger)  # the front may be stopped for long, as by ^Z, or dead
        except OSError:
            code = os.EX_IOERR
        except Exception:
            traceback.print_exc()
        finally:
            os._exit(code)

    def _keep(self, front: int) -> Keeper:
        return Keeper(self._job, self._ledger, self._tree, front=front, notes=self._noted)

    # -- one turn ------------------------------------------------------------------------------------------------------

    def _turn(self) -> bool:
        """Whether the keeper has ended, and with it all that was below it."""
        self._reap()
        self._pass_on()
        if self._ledger[Entry.STOPS] != self._stops:
            self._stops = self._ledger[Entry.STOPS]
            self._stop_too()
        if self._code is not None:
            self._kill()
            return self._reap()
        if now_us() >= self._ledger[Entry.KILL_US]:
            was_there = self._ledger[Entry.GROUP] != 0
            living = self._kill()
            if was_there and self._ledger[Entry.BEGUN] and not self._has_killed_command:
                self._has_killed_command = True
                self._tell_if_untold()
            if not living and self._is_keeper_hung():
                os.kill(self._keeper, signal.SIGKILL)
        return False

    def _tell_if_untold(self) -> None:
        """The keeper says why, if it runs."""
        if not self._ledger[Entry.ENDED]:
            tell("it was not confirmed in time that this host leads: all that the command has started is killed")

    def _reap(self) -> bool:
        """Whether there is no child."""
        with suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return False
                if pid == self._keeper:
                    self._note(status)
        return True

    def _note(self, status: int) -> None:
        if os.WIFSIGNALED(status) and not self._ledger[Entry.BEGUN]:
            tell("the process that watches over the command was killed before that had begun: nothing was run")
            self._code = 128 + os.WTERMSIG(status)
            return
        if not os.WIFEXITED(status):
            tell("the process that watches over the command was killed: so is the command")
            self._has_killed_command = True
        self._code = LOST if self._has_killed_command else os.WEXITSTATUS(status)

    def _kill(self) -> list[Process]:
        """Who has not died yet. The keeper does the same, if it runs."""
        return self._killing.kill(but=self._keeper, tells=self._code is not None)

    def _is_keeper_hung(self) -> bool:
        keeper = look(self._keeper)
        is_stopped = keeper is not None and keeper.state == "T"
        return self._killing.lasts_us > (_PATIENCE_STOPPED_US if is_stopped else _PATIENCE_US)

    # -- signals and the terminal --------------------------------------------------------------------------------------

    def _pass_on(self) -> None:
        with suppress(BlockingIOError):
            self._pending += os.read(self._signals, 4096)
        if not self._ledger[Entry.STARTED] or not self._ledger[Entry.GROUP]:
            return
        for number in self._pending:
            if number == signal.SIGCONT:
                self._lend_terminal()
            signal_group(self._group, number)
        self._pending = b""

    def _stop_too(self) -> None:
        """As the command did, for the shell to see it. Where there is no job control, the kernel lets us run on."""
        if self._ledger[Entry.STOP_SIGNAL] in (signal.SIGTTIN, signal.SIGTTOU) and self._lend_terminal():
            return signal_group(self._group, signal.SIGCONT)
        self._ledger[Entry.ASIDE] = 1
        self._take_terminal()
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, lambda *_: None)
        self._ledger[Entry.ASIDE] = 0
        return None

    def _lend_terminal(self) -> bool:
        """Whether we had it."""
        terminal = self._job.terminal
        if terminal is None or holder(terminal) != self._job.group:
            return False
        hand_over(terminal, self._group)
        return True

    def _take_terminal(self) -> None:
        """Back from the command, and from nobody else."""
        terminal = self._job.terminal
        if terminal is not None and self._group and holder(terminal) == self._group:
            hand_over(terminal, self._job.group)

    # -- time ----------------------------------------------------------------------------------------------------------

    def _pause(self) -> None:
        now, kill_us = now_us(), self._ledger[Entry.KILL_US]
        is_ending = self._code is not None or now >= kill_us
        self._timer.set(now + _AGAIN_US if is_ending else kill_us)
        # What has ended is ready for ever.
        select.select(
            [self._timer.fileno(), self._signals, self._notes, *([] if is_ending else [self._keeper_end])], [], []
        )
        with suppress(BlockingIOError):
            os.read(self._notes, 4096)
