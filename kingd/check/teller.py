"""A thread that tells the daemon the newest verdict, again and again: what is not renewed is forgotten there. A verdict
has an end, for who checks may hang: after it nothing is said until there is another one.

It notices by the answers that the daemon has read another configuration, and that the daemon is gone: then it asks more often,
so that the next one does not wait for its first word."""

import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from kingd.control.answer import number
from kingd.control.client import BadAnswer, CallFailed, DaemonNotRunning, JsonObject, KingdError, call
from kingd.log import Logger

_NAME = "check"
_EVERY_S, _AGAIN_S = 2.0, 0.2
_PATIENCE_S = 5.0
_WORDS_MAX = 200

_log = Logger("kingd.check")


class _Word(NamedTuple):
    unfit: str | None
    end_s: float  # time.monotonic


class Teller:
    def __init__(self, socket: str, *, good_for_s: Callable[[], float], reloaded: Callable[[], None]) -> None:
        """`good_for_s`: how long a word counts without another one. `reloaded`: called by this thread."""
        self._socket = socket
        self._good_for_s = good_for_s
        self._reloaded = reloaded
        self._word: _Word | None = None  # None: nothing is known yet
        self._news = threading.Event()
        self._reloads: int | None = None
        self._refused = ""

    def start(self) -> None:
        threading.Thread(target=self._run, daemon=True).start()

    def tell(self, unfit: str | None, *, for_s: float) -> None:
        """None: it is fit; else why not. At once, and from now on for so long."""
        self._word = _Word(None if unfit is None else _one_line(unfit), time.monotonic() + for_s)
        self._news.set()

    def _run(self) -> None:
        while True:
            again_s = self.say()
            self._news.wait(again_s)
            self._news.clear()

    def say(self) -> float:
        """Once, by this thread. After how many seconds again."""
        word = self._word
        is_heard = word is None or time.monotonic() >= word.end_s or self._ask(word.unfit)
        return _EVERY_S if is_heard else _AGAIN_S

    def _ask(self, unfit: str | None) -> bool:
        parameters: JsonObject = {"name": _NAME, "unfit": unfit, "for_ms": round(self._good_for_s() * 1000)}
        try:
            reloads = number(call(self._socket, "SetFitness", parameters, timeout_s=_PATIENCE_S), "reloads")
        except (CallFailed, BadAnswer) as error:
            if self._refused != str(error):
                self._refused = str(error)
                _log.warning("kingd does not listen to us: %s", error)
            return True  # not sooner for being asked again
        except DaemonNotRunning:  # or about to come: another one counts anew
            self._reloads = None
            return False
        except KingdError:  # it is there, and slow
            return False
        self._refused = ""
        if self._reloads is not None and reloads != self._reloads:
            self._reloaded()
        self._reloads = reloads
        return True


def _one_line(text: str) -> str:
    """As the control socket takes it."""
    words = "".join(letter if letter.isprintable() else " " for letter in text)
    return words if len(words) <= _WORDS_MAX else f"{words[: _WORDS_MAX - 3]}..."
