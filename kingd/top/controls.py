"""What a person has set with the keys, and what a key does. Pure: a key goes in, an order may come out.

What changes something asks first; only y is a yes."""

from dataclasses import dataclass
from enum import Enum

from kingd.cli.text import age, clean
from kingd.control.answer import section, section_or_none, text
from kingd.control.client import JsonObject

STEP_DOWN_MS = 60_000  # as kingctl step-down without --for
_FILTER_MAX = 64


class Order(Enum):
    """What the driver is to do."""

    QUIT = "quit"
    SURVEY = "survey"
    STEP_DOWN = "step-down"
    MAINTENANCE_ON = "maintenance on"
    MAINTENANCE_OFF = "maintenance off"
    REDRAW = "redraw"  # from nothing: something else may have written to the terminal


@dataclass(slots=True)
class Controls:
    """`rows` and `page` are what the last picture had: rows that match, and rows that it had room for."""

    first: int = 0  # the row at the top
    rows: int = 0
    page: int = 1
    filter: str = ""
    is_typing: bool = False  # what is typed is the filter
    is_paused: bool = False
    question: str | None = None  # asked, and not answered yet
    asked_for: Order | None = None  # what a yes to it means
    note: str = ""  # what came of the last order

    def press(self, key: str, status: JsonObject | None) -> Order | None:
        if self.question is not None:
            return self._answer(key)
        if self.is_typing:
            self._type(key)
            return None
        self.note = ""
        match key:
            case "q":
                return Order.QUIT
            case "ctrl-l":
                return Order.REDRAW
            case "s":
                self.note = "asking every member whom it follows ..."
                return Order.SURVEY
            case "d" | "m":
                (self._ask_to_step_down if key == "d" else self._ask_for_maintenance)(status)
            case "p" | " ":
                self.is_paused = not self.is_paused
            case "/":
                self.is_typing = True
            case "escape":
                self.filter = ""
            case _:
                self.first += {"up": -1, "down": 1, "pageup": -self.page, "pagedown": self.page}.get(key, 0)
                self.first = {"home": 0, "end": self.rows}.get(key, self.first)
        self.clamp()
        return None

    def clamp(self) -> None:
        self.first = max(0, min(self.first, self.rows - self.page))

    def _ask_to_step_down(self, status: JsonObject | None) -> None:
        known = None if status is None else section_or_none(status, "leader")
        if status is None or known is None:
            self.note = "no leader is known: there is nothing to hand over"
            return
        node = section(status, "node")
        if text(node, "role") != "leader":
            self.note = clean(f"{text(known, 'name')} leads, not this node: step down there")
            return
        self.asked_for = Order.STEP_DOWN
        self.question = clean(
            f"Hand leadership of {text(status, 'cluster')} over from {text(node, 'name')}, this node, to the best of the "
            f"others, and not lead again for {age(STEP_DOWN_MS)}? y/n"
        )

    def _ask_for_maintenance(self, status: JsonObject | None) -> None:
        if status is None:
            self.note = "kingd has not answered yet"
            return
        node = section(status, "node")
        name = f"{text(node, 'name')}, this node,"
        if node.get("ineligible_reason") == "maintenance":
            self.asked_for = Order.MAINTENANCE_OFF
            self.question = clean(f"End the maintenance of {name} so that it may lead again? y/n")
            return
        self.asked_for = Order.MAINTENANCE_ON
        leads = " It leads, and hands leadership over first." if text(node, "role") == "leader" else ""
        self.question = clean(f"Keep {name} from leading, also over restarts, until that is ended (m)?{leads} y/n")

    def _answer(self, key: str) -> Order | None:
        self.question = None
        if key != "y":
            self.note = "not done"
            return None
        self.note = "handing over ..." if self.asked_for is Order.STEP_DOWN else "..."
        return self.asked_for

    def _type(self, key: str) -> None:
        match key:
            case "enter":
                self.is_typing = False
            case "escape":
                self.is_typing, self.filter = False, ""
            case "backspace":
                self.filter = self.filter[:-1]
            case _ if len(key) == 1 and key.isprintable() and len(self.filter) < _FILTER_MAX:
                self.filter += key
        self.first = 0
