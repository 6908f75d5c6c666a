"""Whether this host is fit to lead, as others on it say: the runner of `[check]`, kingd-vip, whoever is authorised.

In: words, each under a name and good for so long (`SetFitness`). Out: to the core, whether one of them says no (check-failed),
and whether the configured check has not answered (check-pending). A word that is not renewed is forgotten: who said it may be
dead, and then nobody knows. docs/fitness.md."""

from collections.abc import Callable

from kingd.control.service import ServiceError
from kingd.core.timing import NEVER, SECOND
from kingd.core.wire.message import Ineligible
from kingd.daemon.clock import now_us
from kingd.log import Logger

CHECK = "check"
"""Under this name the runner of `[check]` speaks."""

_TELLERS_MAX = 16
_GRACE_US = 10 * SECOND  # for a check that a reload has brought: its runner has to hear of it first
_SILENT_US = 10 * SECOND  # then a start of kingd is long over, and users are told
_log = Logger("kingd")


class Fitness:
    def __init__(self, *, has_check: bool) -> None:
        self._has_check = has_check
        self._words: dict[str, tuple[str | None, int]] = {}  # name -> why it says no, until when it is good
        self._told: dict[Ineligible, bool] = {Ineligible.CHECK_PENDING: has_check}  # to the core
        self._since_us = now_us()  # nobody has answered for the check
        self._said = ""  # in the log
        self.reloads = 0  # by it the runner notices that there is another configuration

    def at_start(self) -> dict[Ineligible, int]:
        """Nothing is known yet: not fit. Who leads before the first answer would have to hand over a moment later."""
        return {Ineligible.CHECK_PENDING: NEVER} if self._has_check else {}

    def begin(self, set_unfit: Callable[[Ineligible, int], object]) -> None:
        """`set_unfit`: this host may not lead because of that, until then; 0: not for that any more."""
        self._set_unfit = set_unfit

    def configure(self, *, has_check: bool) -> None:
        """After a reload, which never takes leadership away: what a new check says is waited for."""
        self.reloads += 1
        if has_check and not self._has_check:
            self._words[CHECK] = (None, now_us() + _GRACE_US)
        if not has_check:
            self._words.pop(CHECK, None)
        self._has_check = has_check
        self.look()

    def say(self, name: str, unfit: str | None, *, for_us: int) -> None:
        """ServiceError: there are too many who do."""
        if name == CHECK and not self._has_check:
            return  # of a configuration that is not in force (any more)
        if name not in self._words and len(self._words) >= _TELLERS_MAX:
            raise ServiceError("Busy", f"{_TELLERS_MAX} others say whether this host is fit already")
        self._words[name] = (unfit, now_us() + for_us)
        self.look()

    def look(self) -> None:
        """Also now and then: words run out."""
        now = now_us()
        self._words = {name: word for name, word in self._words.items() if now < word[1]}
        if not self._has_check or CHECK in self._words:
            self._since_us = now
        found = {Ineligible.CHECK_FAILED: bool(self.why()), Ineligible.CHECK_PENDING: self._is_pending}
        for why, on in sorted(found.items(), key=lambda each: not each[1]):  # what begins first: nothing shines through
            if self._told.get(why, False) is not on:
                self._told[why] = on
                self._set_unfit(why, NEVER if on else 0)
        self._log_change()

    @property
    def _is_pending(self) -> bool:
        return self._has_check and CHECK not in self._words

    def why(self) -> str:
        """ "" = nobody says no."""
        return "; ".join(f"{name}: {unfit}" for name, (unfit, _) in sorted(self._words.items()) if unfit)

    def detail(self) -> str:
        return self.why() or ("the check has not answered yet" if self._is_pending else "")

    def problems(self) -> list[str]:
        if not self._is_pending or now_us() - self._since_us < _SILENT_US:
            return []
        return [
            "check.command is configured, and nobody runs it, so that this host may not lead: is kingd-check.service running? "
            "(journalctl -u kingd-check; without systemd, kingd starts it, and its words are in kingd's log)"
        ]

    def _log_change(self) -> None:
        why = self.why()
        if why != self._said:
            if why:
                _log.warning("this host is not fit to lead: %s", why)
            else:
                _log.info("nobody says any more that this host is not fit to lead")
            self._said = why
