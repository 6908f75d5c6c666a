"""What is wrong, said in the log when it appears and when it is over: one way for every problem that `kingctl status` shows.

A problem that comes and goes is one lasting problem: it is over when it has stayed away for a minute."""

from collections.abc import Iterable
from itertools import count

from kingd.log import INFO, WARNING, Logger, OncePer

_log = Logger("kingd")

_OVER_AFTER_US = 60_000_000


class Troubles:
    def __init__(self) -> None:
        self._seen_us: dict[str, int] = {}
        # Who can make up problems (an address that does not answer) does not fill the disk.
        self._bounded = OncePer(_log)
        self._line = count()

    def note(self, problems: Iterable[str], *, now_us: int) -> None:
        """All that is wrong now. To be called now and then."""
        for problem in problems:
            if problem not in self._seen_us:
                self._say(WARNING, "problem: %s", problem, now_us)
            self._seen_us[problem] = now_us
        for problem in [each for each, seen_us in self._seen_us.items() if now_us - seen_us >= _OVER_AFTER_US]:
            del self._seen_us[problem]
            self._say(INFO, "no problem any more: %s", problem, now_us)

    def _say(self, level: int, message: str, problem: str, now_us: int) -> None:
        self._bounded.log(level, next(self._line), message, problem, now_us=now_us)
