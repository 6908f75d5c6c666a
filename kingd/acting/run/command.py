"""The command itself: a process that is made first and waits, because what has threads must not fork, and executes the program
when it is told whose leadership that is.

It has a process group of its own, no signal blocked, every signal as by default (but what `nohup` or a shell has told this
`run` to ignore stays ignored), its own streams, and the terminal, if the run had it."""

import errno
import os
import signal
from contextlib import suppress

from kingd.acting.hold import Leadership
from kingd.acting.linux import die_with_parent
from kingd.acting.run.job import Job
from kingd.acting.run.ledger import Entry, Ledger
from kingd.acting.run.terminal import hand_over, holder
from kingd.acting.tree import Tree
from kingd.control.validity import now_us

_NOT_FOUND, _CANNOT_RUN = 127, 126  # as a shell says it
_KEPT = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)


def ignored_here() -> frozenset[signal.Signals]:
    """To be asked before this process changes any."""
    return frozenset(number for number in _KEPT if signal.getsignal(number) is signal.SIG_IGN)


class Command:
    def __init__(self, job: Job, tree: Tree, ledger: Ledger) -> None:
        """Forks. `ledger`: until when it may begin."""
        self._job = job
        self._ledger = ledger
        self._orders, self._order = os.pipe()
        self._failure, self._failures = os.pipe()
        parent = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            self._become(parent, tree)
        os.setpgid(self.pid, self.pid)
        os.close(self._orders)
        os.close(self._failures)

    def fileno(self) -> int:
        """Ready when `failure` can be asked, which is once."""
        return self._failure

    def start(self, leadership: Leadership) -> None:
        """Does not wait for it: a busy host takes its time, and has a leader all the same."""
        with suppress(BrokenPipeError):  # a signal has ended it while it waited
            os.write(self._order, f"{leadership.term} {leadership.node_id}".encode())
        os.close(self._order)

    def failure(self) -> OSError | None:
        """Why it could not be executed; ETIME: it would have been too late, or it was ended before. Waits for it."""
        with os.fdopen(self._failure, "rb") as failure:
            word = failure.read()  # nothing: the program has begun, or was ended, for each of the two closes it
        number = int(word or (0 if self._ledger[Entry.BEGUN] else errno.ETIME))
        return OSError(number, os.strerror(number), self._job.argv[0]) if number else None

    def _become(self, parent: int, tree: Tree) -> None:
        job = self._job
        try:
            os.setpgid(0, 0)
            _reset_signals(job.ignored)
            os.close(self._order)
            die_with_parent(signal.SIGKILL)
            if os.getppid() != parent:  # it was too late for that
                os._exit(_CANNOT_RUN)
            tree.enter()
            order = os.read(self._orders, 4096).decode().split()
            if not order:  # the other end was closed
                os._exit(_CANNOT_RUN)
            term, node_id = order
            # It was told to end, or one of us did not run for a while.
            if self._ledger[Entry.ENDED] or now_us() >= self._ledger[Entry.DOUBT_US]:
                raise OSError(errno.ETIME, os.strerror(errno.ETIME))
            self._ledger[Entry.BEGUN] = 1
            if job.terminal is not None and holder(job.terminal) == job.group:
                hand_over(job.terminal, os.getpid())
            environment = {**os.environ, "KINGD_TERM": term, "KINGD_NODE_ID": node_id, "KINGD_RUN": "1"}
            os.execvpe(job.argv[0], job.argv, environment)  # noqa: S606 - this is what we are for
        except OSError as error:
            os.write(self._failures, str(error.errno).encode())
            os._exit(_NOT_FOUND if isinstance(error, FileNotFoundError) else _CANNOT_RUN)


def _reset_signals(ignored: frozenset[signal.Signals]) -> None:
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        handler = signal.SIG_IGN if number in ignored else signal.SIG_DFL
        try:
            signal.signal(number, handler)
        except OSError:  # the C library keeps two of them for itself
            continue
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
