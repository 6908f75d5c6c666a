"""Where no service manager runs kingd-check.service beside the daemon, the daemon starts that process itself.

It is started before it is needed and not forked from the loop (posix_spawn copies nothing), ends with the daemon, and runs as
the daemon's user. It speaks through the control socket, like the unit's. docs/fitness.md."""

import os
import signal
import sys
from contextlib import suppress

import kingd
from kingd.config import Config
from kingd.daemon.options import Options
from kingd.log import Logger

PARENT = "KINGD_CHECK_PARENT"
"""Environment: the process id of the daemon with which it ends."""

_log = Logger("kingd")


class Checker:
    """`options`: those of the daemon."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._is_ours = not os.environ.get("NOTIFY_SOCKET")  # else systemd runs the unit
        self._pid = 0

    def configure(self, config: Config) -> None:
        """At the start, and after a reload: it ends by itself when there is nothing to check."""
        if self._is_ours and config.check.command and not self._is_running():
            self._start()

    def _is_running(self) -> bool:
        with suppress(ChildProcessError):
            return self._pid != 0 and os.waitpid(self._pid, os.WNOHANG)[0] == 0
        return False

    def _start(self) -> None:
        # This very kingd, wherever it is installed; and no module of the current folder, which may be anybody's.
        words = [sys.executable, "-Psm", "kingd.check", *_words(self._options)]
        here = os.path.dirname(os.path.dirname(os.path.abspath(kingd.__file__)))  # noqa: PTH100, PTH120 - pathlib is megabytes
        environment = {**os.environ, PARENT: str(os.getpid()), "PYTHONPATH": here}
        try:
            self._pid = os.posix_spawn(sys.executable, words, environment, setsigmask=[], setsigdef=_CAUGHT)
        except OSError as error:
            _log.error("the check cannot be started: %s", error)

    def end(self) -> None:
        if self._pid:
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGTERM)


_CAUGHT = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE)


def _words(options: Options) -> list[str]:
    """As kingd was called, as far as it is about what is checked and who is told."""
    given = {"--config": options.config, "--instance": options.instance, "--socket": options.socket}
    return [word for option, value in given.items() if value is not None for word in (option, str(value))]
