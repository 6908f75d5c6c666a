"""The helper behind kingd-leader.service: keeps kingd-leader.target started while this host leads.

In: what the daemon answers to Status over its control socket, and what it says by itself (`Hold`): when to ask, that
leadership is to be handed over when all has ended here, and whether `target.exclusive` is set. Out: `systemctl start` of
the target, and `systemctl stop` of it and of all that it wants, for a unit with no more than WantedBy= must end too.

It asks each tenth of a second while this host leads, and does not only listen: when units are killed depends on how old the
last yes was when the no came (tenure.py), and `Hold` says yes less often.

The rules and their times are in tenure.py, the units in target_units.py. When systemd stops this process it waits until the
units have ended, and systemd stops kingd only after that, so a planned stop releases leadership last. Not promised: that two
parts of a LAN that is cut do not each run the units, unless there is a list of voters (docs/guarantees.md).
"""

import os
import select
import signal
import sys
import time
from contextlib import suppress

from kingd.acting.hearing import Hearing
from kingd.acting.hearing import Said as Heard
from kingd.acting.hold import DRAIN_KILL_US, NEVER_US
from kingd.config import DEFAULT_FILE, ConfigError, load
from kingd.control.answer import number, section, section_or_none, text
from kingd.control.client import DaemonNotRunning, JsonObject, KingdError, Line, call
from kingd.control.target import DEFAULT_SOCKET
from kingd.control.validity import is_stalled
from kingd.daemon import systemd, target_units
from kingd.daemon.clock import now_us
from kingd.daemon.target_units import TARGET
from kingd.daemon.tenure import DEAD_BY_US, KILL_AFTER_US, Said, Tenure, View
from kingd.log import Logger, set_up

_SECOND = 1_000_000
_IDLE_US = 1 * _SECOND  # without news; well below the watchdog's time
_ASK_US = 100_000
_PATIENCE_US = 500_000  # for one answer, at most
_CONNECT_US = 50_000
_WATCHDOG_US = 5 * _SECOND
# With target.exclusive, from the end of leadership: later than KILL_AFTER_US, and the rest until DEAD_BY_US is for `release`.
_WATCHDOG_EXCLUSIVE_US = 850_000
_RELEASE_GRACE_S = 0.5
_RELEASE_PATIENCE_S = 0.1

_log = Logger("kingd.leader-target")


class Helper:
    def __init__(self, socket: str) -> None:
        self._socket = socket
        self._line = Line(socket)  # one place, for good: no other user's clients are before us
        self._tenure = Tenure()
        self._hearing = Hearing(socket, TARGET)
        self._heard: Heard | None = None  # None: no hand-over would wait for us now
        self._signals, self._signal = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._exclusive = False
        self._is_started = False
        self._ending: list[str] = []  # units that were told to stop, and have not ended
        self._kill_us = NEVER_US  # when they are killed
        self._is_late = False  # they run on, and another host may start its own
        self._stop_asked = False
        self._is_told = False  # that the target was started, by us or by somebody

    def run(self) -> None:
        """Until SIGTERM. An exception ends the process; ExecStopPost= then stops what is started."""
        signal.set_wakeup_fd(self._signal, warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)
        signal.signal(signal.SIGUSR1, self._on_started)
        systemd.ready("waiting for leadership")
        while self._is_started or self._ending or not self._stop_asked:
            self.turn()
            select.select([self._hearing.fileno(), self._signals], [], [], self._pause_us() / _SECOND)
            with suppress(BlockingIOError):
                os.read(self._signals, 64)
        may_be_owed = self._hearing.is_connected and not self._hearing.why_alone
        self._hearing.close()
        self._line.close()
        if may_be_owed:
            self._drained()  # there may be a hand-over of which we have not heard yet

    def _feed(self) -> None:
        """A helper that hangs is killed; the next one ends what it has left (`release`). With target.exclusive that is in time
        whenever it hangs: also between the end of leadership and the moment at which it would have killed the units itself."""
        if not self._exclusive:
            systemd.watchdog()
            return
        now = now_us()
        is_at_risk = self._is_started or (self._ending and now < self._kill_us)
        since = min(now, self._tenure.sure_until_us) if is_at_risk else now
        systemd.watchdog_within(max(since + _WATCHDOG_EXCLUSIVE_US - now, 1))

    def _on_signal(self, number: int, frame: object) -> None:
        self._stop_asked = True
        systemd.stopping()

    def _on_started(self, number: int, frame: object) -> None:
        """kingd-leader-told.service says so."""
        self._is_told = True

    def _pause_us(self) -> int:
        if self._ending:
            return min(_ASK_US, self._left_us)
        return _ASK_US if self._tenure.is_leading else _IDLE_US

    @property
    def _left_us(self) -> int:
        """Until the units are killed."""
        left_us = self._kill_us - now_us()
        return left_us if left_us > 0 else _ASK_US  # they were; again then

    def turn(self) -> None:
        """Hear, ask, act; then systemd may wait for the next one."""
        is_told, self._is_told = self._is_told, False
        self._hear()
        said = self._ask()
        leads = self._tenure.is_up(now_us=now_us())
        is_draining = self._heard is not None and self._heard.draining
        should_run = leads and not is_draining and not self._stop_asked
        if self._is_started and not should_run:
            why = "this host is to hand over" if is_draining and leads else "stopping" if leads else said.view.value
            self._stop(why, leads=leads)
        elif is_told and not self._is_started and not should_run:
            self._stop("somebody started it, and it is not to run here now", leads=leads)
        if self._ending:
            self._see_them_end(leads=leads)
        if not self._is_started and not self._ending:
            if should_run and (self._heard is not None or self._hearing.why_alone):  # else it may be about to hand over
                self._start()
            elif is_draining and (error := self._drained()) is not None:
                _log.warning("the daemon does not hear that all has ended here: %s", error)
        self._feed()

    def _hear(self) -> None:
        try:
            for heard in self._hearing.hear(patience_us=_CONNECT_US):
                self._heard = None if self._hearing.why_alone else heard
        except KingdError:
            self._heard = None
        if self._heard is not None and self._heard.exclusive != self._exclusive:
            self._exclusive = self._heard.exclusive
            systemd.watchdog_within(_WATCHDOG_US)

    def _ask(self) -> Said:
        asked_us = now_us()
        left_us = self._tenure.left_us(now_us=asked_us) if self._tenure.is_leading else _PATIENCE_US
        timeout_us = min(left_us, min(_ASK_US, self._left_us) if self._ending else _PATIENCE_US)
        said = _view(self._line, timeout_s=timeout_us / _SECOND)
        if said.view is View.LEADS and self._heard is None:
            said = Said(view=View.UNSURE)  # a hand-over would not wait for us
        self._tenure.note(said, asked_us=asked_us, now_us=now_us())
        return said

    def _start(self) -> None:
        _log.info("this host leads: starting %s", TARGET)
        target_units.start()
        self._is_started = True
        systemd.status(f"{TARGET} is started")

    def _stop(self, why: str, *, leads: bool) -> None:
        _log.info("stopping %s: %s", TARGET, why)
        self._kill_us = now_us() + DRAIN_KILL_US if leads and not self._stop_asked else NEVER_US
        self._ending = target_units.pulled()
        target_units.stop(self._ending)
        self._is_started = self._is_late = False
        systemd.status("waiting for the units to end")

    def _see_them_end(self, *, leads: bool) -> None:
        if not leads:
            self._kill_us = min(self._kill_us, self._tenure.ended_us + KILL_AFTER_US)
        if self._exclusive and now_us() >= self._kill_us:
            target_units.kill(self._ending)
            _log.warning("killed what had not ended: %s", ", ".join(self._ending))
            self._feed()
        self._ending = target_units.running(self._ending)
        if not self._ending:
            systemd.status("waiting for leadership")
        elif not leads:
            self._tell_if_late(now_us())

    def _tell_if_late(self, now: int) -> None:
        if self._exclusive and not self._is_late and now >= self._tenure.ended_us + DEAD_BY_US:
            self._is_late = True
            _log.critical("killed, and still there while another host may start its own: %s", ", ".join(self._ending))

    def _drained(self) -> KingdError | None:
        """Told again at each turn, until the daemon says that it is over. Why it has not heard it."""
        try:
            call(self._socket, "Drained", {"name": TARGET}, timeout_s=_PATIENCE_US / _SECOND)
        except KingdError as error:
            return error
        return None


def _view(line: Line, *, timeout_s: float) -> Said:
    try:
        return judge(line.call("Status", timeout_s=timeout_s))
    except DaemonNotRunning:
        return Said(view=View.GONE)
    except KingdError:
        return Said(view=View.UNSURE)


def judge(status: JsonObject) -> Said:
    node, leader = section(status, "node"), section_or_none(status, "leader")
    if is_stalled(status):
        return Said(view=View.UNSURE)
    if leader is None or text(node, "role") != "leader" or leader.get("id") != node.get("id"):
        return Said(view=View.FOLLOWS)
    valid_us = number(status, "valid_ms") * 1000
    return Said(view=View.LEADS, valid_us=valid_us, quorum=text(status, "mode") == "quorum")


def release(*, exclusive: bool, grace_s: float) -> None:
    """The helper has ended, and left running what it had started: returns when that has ended."""
    units = target_units.pulled()
    if not exclusive:
        target_units.stop(units, wait=True)
        return
    end_s = time.monotonic() + grace_s
    if not grace_s:  # before anything else: there may be no more time than for this
        target_units.kill(units)
    target_units.stop(units)
    while units := target_units.running(units):
        if time.monotonic() >= end_s:
            target_units.kill(units)
        time.sleep(_ASK_US / _SECOND / 2)


def has_time(socket: str) -> bool:
    """Of a helper that ended as it should, or died where this host leads. One that hung has used up the time to ask."""
    result = os.environ.get("SERVICE_RESULT")  # systemd.exec(5)
    if result == "success":
        return True
    return result != "watchdog" and _view(Line(socket), timeout_s=_RELEASE_PATIENCE_S).view is View.LEADS


def main() -> int:
    arguments = sys.argv[1:]
    if arguments not in ([], ["--release"]):
        sys.exit("usage: leader-target [--release]")
    set_up("info", "auto")
    socket, exclusive = DEFAULT_SOCKET, False
    try:
        config = load(main=DEFAULT_FILE, explicit=False, overrides={})
        socket, exclusive = str(config.control.socket), config.target.exclusive
    except ConfigError as error:  # kingd will not start with it either, or runs on with what it read before
        _log.warning("going by the defaults: %s", error)
    if arguments:
        release(exclusive=exclusive, grace_s=_RELEASE_GRACE_S if exclusive and has_time(socket) else 0.0)
    else:
        Helper(socket).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
