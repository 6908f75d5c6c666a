"""The thread that tells the verdict: it outlives neither the verdict nor an answer that is none."""

import time

import pytest

from kingd.check import teller as module
from kingd.check.teller import Teller
from kingd.control.client import BadAnswer, CallTimedOut, DaemonNotRunning, JsonObject

Answer = JsonObject | Exception


class Rig:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.told: list[object] = []
        self.answers: list[Answer] = []
        self.reloaded = 0
        self.now_s = 100.0
        monkeypatch.setattr(module, "call", self.call)
        monkeypatch.setattr(time, "monotonic", lambda: self.now_s)
        self.teller = Teller("nowhere", good_for_s=lambda: 20.0, reloaded=self.on_reloaded)

    def call(self, _socket: str, _method: str, parameters: JsonObject, **_more: float) -> JsonObject:
        self.told.append(parameters["unfit"])
        answer: Answer = self.answers.pop(0) if self.answers else {"reloads": 0}
        if isinstance(answer, Exception):
            raise answer
        return answer

    def on_reloaded(self) -> None:
        self.reloaded += 1

    def say(self, *answers: Answer) -> None:
        for answer in answers:
            self.answers = [answer]
            self.teller.say()


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Rig:
    return Rig(monkeypatch)


def test_verdict_is_said_until_its_end(rig: Rig) -> None:
    rig.teller.say()
    rig.teller.tell(None, for_s=30)
    rig.teller.say()
    rig.now_s += 29
    rig.teller.say()
    assert rig.told == [None, None]
    rig.now_s += 1
    rig.teller.say()
    assert rig.told == [None, None]
    rig.teller.tell("the disk is full", for_s=30)
    rig.teller.say()
    assert rig.told == [None, None, "the disk is full"]


@pytest.mark.parametrize(
    "between", [CallTimedOut("slow"), BadAnswer("what?"), {"reloads": "many"}], ids=["slow", "bad", "of another kind"]
)
def test_reload_is_noticed_over_an_answer_that_is_none(rig: Rig, between: Answer) -> None:
    rig.teller.tell(None, for_s=30)
    rig.say({"reloads": 3}, between, {"reloads": 4})
    assert rig.reloaded == 1


def test_another_kingd_counts_anew(rig: Rig) -> None:
    rig.teller.tell(None, for_s=30)
    rig.say({"reloads": 3}, DaemonNotRunning("gone"), {"reloads": 0})
    assert rig.reloaded == 0


def test_answer_that_is_not_understood_is_named_once(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    rig.teller.tell(None, for_s=30)
    rig.say({}, {}, {"reloads": 1})
    assert caplog.text.count("kingd does not listen to us: the daemon's answer is not understood: reloads") == 1
