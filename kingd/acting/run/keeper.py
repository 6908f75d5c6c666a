"""The keeper of a run: the command's parent. It keeps the leadership confirmed, and ends the command when that is in doubt.

In: the claim (claim.py), how the command fares, and whether the front (front.py) lives. Out: signals, the ledger, and its own
exit code, which is that of the run. Where the front is dead, or was stopped by somebody, nobody would notice that the keeper
hangs: then the command is ended too."""

import errno
import os
import select
import signal
from contextlib import suppress

from kingd.acting.claim import Claim
from kingd.acting.linux import BootTimer, adopt_orphans
from kingd.acting.run.command import Command
from kingd.acting.run.job import Job, tell
from kingd.acting.run.killing import Killing
from kingd.acting.run.ledger import Entry, Ledger
from kingd.acting.tree import Tree, look, signal_group
from kingd.cli.exits import LOST, NOT_LEADER
from kingd.control.validity import now_us
from kingd.scheduling import prefer

_SECOND = 1_000_000
_SHORT_US = 60_000  # what is told is good for less: a busy host would read the next word too late
_REST_US = 1 * _SECOND  # for what the command leaves behind to end
_AGAIN_US = 20_000  # between two looks at what is not our child
# They are for the command, and not for who has to outlive it.
_IGNORED = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGTSTP", "SIGTTIN", "SIGTTOU")


class Keeper:
    def __init__(self, job: Job, ledger: Ledger, tree: Tree, *, front: int, notes: int) -> None:
        """`front`: its process id; `notes`: a byte there makes it look at the ledger."""
        self._job = job
        self._ledger = ledger
        self._tree = tree
        self._front = front
        self._front_end = os.pidfd_open(front)
        self._notes = notes
        self._claim = Claim(job.socket, job.name, timeout_s=job.timeout_s)
        self._timer = BootTimer()
        self._wakes, self._wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._code: int | None = None  # the command's own
        self._is_starting = False  # the command was told to begin, and it is not known yet whether it has
        self._is_told = False  # to end
        self._killing = Killing(tree)
        self._has_said_alone = False

    def run(self) -> int:
        """The exit code. KingdError: nothing was executed, for the daemon did not answer."""
        self._begin()
        self._command = Command(self._job, self._tree, self._ledger)
        self._ledger[Entry.GROUP] = self._ledger[Entry.LAST_GROUP] = self._command.pid
        if not self._take() or self._is_alone():
            return NOT_LEADER
        if self._claim.kill_us - now_us() < _SHORT_US:
            prefer(_SHORT_US)
        self._enter_claim()
        self._note_it()  # the front kills from now on
        self._is_starting = True
        self._command.start(self._claim.hold.pinned)
        while not self._turn():
            self._pause(self._next_us())
        if not self._ledger[Entry.STARTED]:
            return NOT_LEADER
        return LOST if self._is_told else self._code or 0

    def _take(self) -> bool:
        self._ledger[Entry.DRAINS] = 1  # before anybody can be told: who was told is owed for, whatever becomes of us
        try:
            return self._claim.take(pause=self._pause)
        finally:
            self._ledger[Entry.DRAINS] = int(not self._claim.why_alone)

    def _begin(self) -> None:
        os.setpgid(0, 0)  # what a terminal sends to the run must not reach us
        for name in _IGNORED:
            signal.signal(getattr(signal, name), signal.SIG_IGN)
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        adopt_orphans()

    # -- one turn ------------------------------------------------------------------------------------------------------

    def _turn(self) -> bool:
        """Whether nothing runs any more. (Who adopts orphans has no child left then; what forks and ends all the time is in no
        list that is read one after the other.)"""
        self._reap()
        self._see_to_start()
        if self._is_alone():
            self._ledger[Entry.KILL_US] = 0
        elif self._code is None:
            self._see_to_claim()
        if self._code is not None and self._reap():
            return True
        if now_us() >= self._ledger[Entry.KILL_US]:
            self._killing.kill()
        return False

    def _see_to_start(self) -> None:
        if not self._is_starting or not select.select([self._command], [], [], 0)[0]:
            return
        self._is_starting = False
        error = self._command.failure()
        if error is not None and error.errno == errno.ETIME:
            return
        self._ledger[Entry.STARTED] = 1
        self._note_it()
        if error is not None:
            tell(f"{error.filename}: {error.strerror}")
        elif self._is_told:
            self._tell_why()

    def _see_to_claim(self) -> None:
        self._claim.turn()
        if self._is_front_stopped():
            self._claim.give_up("kingctl run itself was stopped")
        self._enter_claim()
        self._reap()  # it may have ended by itself while the daemon was asked
        if self._claim.why and self._code is None and not self._is_told:
            self._is_told = True
            self._ledger[Entry.ENDED] = 1
            signal_group(self._command.pid, signal.SIGTERM)
            if any(each.state == "T" for each in self._tree.living()):  # it would not hear it
                signal_group(self._command.pid, signal.SIGCONT)
            if self._ledger[Entry.STARTED]:
                self._tell_why()

    def _tell_why(self) -> None:
        tell(f"{self._claim.why}: the command is told to end")

    def _enter_claim(self) -> None:
        self._ledger[Entry.DRAINS] = int(not self._claim.why_alone)
        self._ledger[Entry.KILL_US] = self._claim.kill_us
        self._ledger[Entry.DOUBT_US] = self._claim.hold.doubt_us
        if self._claim.why_alone and not self._has_said_alone:
            self._has_said_alone = True
            tell(f"a hand-over on purpose will not wait for this command: {self._claim.why_alone}")

    # -- how the command fares -----------------------------------------------------------------------------------------

    def _reap(self) -> bool:
        """Whether there is no child."""
        with suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED)
                if pid == 0:
                    return False
                if pid == self._command.pid:
                    self._note(status)
        return True

    def _note(self, status: int) -> None:
        if os.WIFSTOPPED(status):
            self._ledger[Entry.STOP_SIGNAL] = os.WSTOPSIG(status)
            self._ledger[Entry.STOPS] += 1
        else:
            self._see_to_start()  # how it began is known now, whoever has reaped it
            self._ledger[Entry.GROUP] = 0
            self._code = 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
            self._ledger[Entry.KILL_US] = min(self._ledger[Entry.KILL_US], now_us() + _REST_US)
            self._tree.signal(signal.SIGTERM)
        self._note_it()

    def _note_it(self) -> None:
        """The front has something to read in the ledger."""
        with suppress(BlockingIOError, BrokenPipeError):
            os.write(self._notes, b".")

    # -- the front -----------------------------------------------------------------------------------------------------

    def _is_alone(self) -> bool:
        return bool(select.select([self._front_end], [], [], 0)[0])

    def _is_front_stopped(self) -> bool:
        """By somebody, and not by itself for the sake of ^Z."""
        front = look(self._front)
        return front is not None and front.state == "T" and not self._ledger[Entry.ASIDE]

    # -- time ----------------------------------------------------------------------------------------------------------

    def _next_us(self) -> int:
        kill_us, again_us = self._ledger[Entry.KILL_US], now_us() + _AGAIN_US
        if now_us() >= kill_us:
            return again_us
        return min(kill_us, self._claim.next_us if self._code is None else again_us)

    def _pause(self, until_us: int) -> None:
        self._timer.set(until_us)
        # What is not looked at any more would be ready for ever.
        of_the_run = [self._claim.fileno(), self._front_end] if self._code is None and not self._is_alone() else []
        starting = [self._command.fileno()] if self._is_starting else []
        select.select([self._timer.fileno(), self._wakes, *of_the_run, *starting], [], [])
        with suppress(BlockingIOError):
            os.read(self._wakes, 4096)
