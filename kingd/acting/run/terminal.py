"""The terminal of a run: which process group has it. That one may read, and ^C and ^Z go to it."""

import os
import signal


def own_terminal() -> int | None:
    """Standard input, where that is the terminal of this session."""
    try:
        os.tcgetpgrp(0)
    except OSError:
        return None
    return 0


def holder(terminal: int) -> int:
    """0: it is gone."""
    try:
        return os.tcgetpgrp(terminal)
    except OSError:
        return 0


def hand_over(terminal: int, group: int) -> None:
    """Who is in the background is stopped for asking, unless it blocks that signal."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTTOU])
    try:
        os.tcsetpgrp(terminal, group)
    except OSError:  # it is gone, or the group is
        return
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
