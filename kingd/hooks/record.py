"""What was delivered, for the next runner: a file in /run, so that it is gone when the host starts anew, as is all that a
hook has set up. Written before a delivery begins, and when it has ended.

A file that is missing, or is not understood, is one of a runner that has delivered nothing."""

import json
import os
from pathlib import Path

from kingd.control.client import JsonObject
from kingd.hooks.delivery import Delivery
from kingd.log import Logger

_log = Logger("kingd.hooks")


class Record:
    def __init__(self, folder: Path) -> None:
        self._file = folder / "delivered.json"
        self._problem = ""

    def load(self) -> Delivery:
        delivery = Delivery()
        try:
            kept = json.loads(self._file.read_text(encoding="utf-8"))
            _take(kept, delivery)
        except FileNotFoundError:
            pass
        except (OSError, ValueError, KeyError, TypeError) as error:
            _log.warning("%s is not understood (%s): all is delivered anew", self._file, error)
            return Delivery()
        return delivery

    def save(self, delivery: Delivery, *, is_finished: bool) -> None:
        """`is_finished`: what was begun last has ended."""
        kept: JsonObject = {
            "version": 1,
            "seq": delivery.seq,
            "last": delivery.last,
            "open": delivery.open,
            "redo_term": delivery.redo_term,
            "is_finished": is_finished,
            "is_stopped": delivery.stopping,
        }
        new = self._file.with_suffix(".new")
        try:
            with open(new, "w", encoding="utf-8", opener=_private) as stream:
                json.dump(kept, stream)
            new.replace(self._file)
        except OSError as error:
            self._complain(f"{self._file} cannot be written ({error.strerror}): the next runner delivers all anew")
            return
        self._problem = ""

    def _complain(self, problem: str) -> None:
        if problem != self._problem:
            _log.warning("%s", problem)
        self._problem = problem


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _take(kept: JsonObject, delivery: Delivery) -> None:
    seq, last, opened, redo_term = kept["seq"], kept["last"], kept["open"], kept["redo_term"]
    if not isinstance(seq, int) or not isinstance(opened, dict | None) or not isinstance(redo_term, int | None):
        raise TypeError("a field of another kind")
    if last is not None and not (isinstance(last, list) and len(last) == 3):
        raise TypeError("a field of another kind")
    delivery.seq, delivery.open, delivery.redo_term = seq, opened, redo_term
    # After a stop the state is delivered once, as at any start; after a crash only if it was not delivered to all.
    delivery.last = last if kept["is_finished"] and not kept["is_stopped"] else None
    delivery.is_broken = opened is not None and not kept["is_finished"]
