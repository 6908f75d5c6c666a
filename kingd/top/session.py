"""Top as a person uses it: keys, the daemon's messages and the window, brought together in one loop.

It draws at once after a key, and four times a second at most otherwise."""

import time

from kingd.control.answer import flag, section_or_none, text
from kingd.control.client import BadAnswer, JsonObject
from kingd.top.controls import STEP_DOWN_MS, Controls, Order
from kingd.top.feed import Answered, Done, Failed, Feed, Happened, Message, instant
from kingd.top.model import Instant, Model
from kingd.top.terminal import Terminal, glyphs
from kingd.top.view import picture

_DRAW_EVERY_S = 0.25
_IDLE_S = 1.0  # the time of day goes on, and so does a silence


def session(path: str, *, timeout_s: float) -> None:
    """Until q. `Ended`: by a signal, or because the terminal is gone."""
    with Terminal() as terminal:
        feed = Feed(path, timeout_s=timeout_s, wake=terminal.wake)
        feed.start()
        _Session(terminal, feed).run()


class _Session:
    def __init__(self, terminal: Terminal, feed: Feed) -> None:
        self._terminal = terminal
        self._feed = feed
        self._model = Model()
        self._controls = Controls()
        self._glyphs = glyphs()
        self._waiting: list[Message] = []  # while paused
        self._under_way: set[str] = set()  # orders without an answer yet
        self._shown_at: Instant = instant()  # what `now` is in the picture

    def run(self) -> None:
        drawn_s = float("-inf")
        afresh = True
        while True:
            self._draw(afresh=afresh)
            drawn_s = time.monotonic()
            pressed: list[str] = []
            is_due = False
            while not pressed and not is_due:
                pressed = self._terminal.pressed(max(0.0, drawn_s + _IDLE_S - time.monotonic()))
                self._read()
                is_due = time.monotonic() >= drawn_s + _DRAW_EVERY_S
            orders = self._press_all(pressed)
            if Order.QUIT in orders:
                return
            afresh = Order.REDRAW in orders

    def _draw(self, *, afresh: bool) -> None:
        if not self._controls.is_paused:
            self._shown_at = instant()
        width, height = self._terminal.size
        shown = picture(self._model, self._shown_at, self._controls, width=width, height=height, glyphs=self._glyphs)
        self._controls.rows, self._controls.page = shown.rows, shown.page
        self._controls.clamp()
        self._terminal.draw(shown.lines, afresh=afresh)

    def _press_all(self, keys: list[str]) -> list[Order]:
        orders: list[Order] = []
        for key in keys:
            was_asked = self._controls.question is not None
            orders += filter(None, [self._press(key)])
            if self._controls.question is not None and not was_asked:
                break  # what came with it, as when text is pasted, was typed before anybody could read the question
        return orders

    def _press(self, key: str) -> Order | None:
        was_paused = self._controls.is_paused
        order = self._controls.press(key, self._model.status)
        if order is Order.SURVEY:
            self._order("Survey")
        elif order is Order.STEP_DOWN:
            self._order("StepDown", {"to": None, "for_ms": STEP_DOWN_MS})
        elif order in (Order.MAINTENANCE_ON, Order.MAINTENANCE_OFF):
            is_on = order is Order.MAINTENANCE_ON
            self._order("SetMaintenance", {"on": is_on, "for_ms": None, "reason": None})
        if was_paused is not self._controls.is_paused:
            self._feed.pause(is_paused=self._controls.is_paused)
        return order

    def _order(self, method: str, parameters: JsonObject | None = None) -> None:
        """A key that is held down asks once."""
        if method not in self._under_way:
            self._under_way.add(method)
            self._feed.order(method, parameters)

    def _read(self) -> None:
        self._waiting += self._feed.messages()
        if self._controls.is_paused:  # what came of an order is told all the same
            told: list[Message] = [each for each in self._waiting if isinstance(each, Done)]
            self._waiting = [each for each in self._waiting if isinstance(each, Happened)]
        else:
            told, self._waiting = self._waiting, []
        for message in told:
            try:
                self._take(message)
            except BadAnswer as error:
                self._model.failed(str(error))

    def _take(self, message: Message) -> None:
        match message:
            case Answered():
                self._model.answered(message.status, message.members, message.at)
            case Failed():
                self._model.failed(message.why)
            case Happened():
                self._model.happened(message.events)
            case Done():
                self._controls.note = self._outcome(message)

    def _outcome(self, done: Done) -> str:
        self._under_way.discard(done.method)
        if done.answer is None:
            return done.why
        if done.method == "Survey":
            self._model.surveyed(done.answer, done.at)
            return ""
        if done.method == "SetMaintenance":
            lasts = "" if flag(done.answer, "saved") else ", but not over a restart: the state folder cannot be written"
            return f"maintenance {'on' if flag(done.answer, 'on') else 'off'}{lasts}"
        leader = section_or_none(done.answer, "leader")
        if leader is None:
            return "nobody took leadership over in time; s asks every member"
        return f"{text(leader, 'name')} leads now"
