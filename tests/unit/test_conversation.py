"""One client's conversation, without a socket: bytes in, replies out."""

import json
from collections.abc import Callable
from typing import Any, cast

import pytest

from kingd.control.call import Garbage
from kingd.control.conversation import Conversation
from kingd.control.dispatch import Dispatcher
from kingd.control.encoding import encoded_reply
from kingd.control.peer import Authority, Peer
from kingd.control.service import Answer, JsonObject, Service, ServiceError, Tell

ANYBODY = Peer(pid=7, uid=12345, groups=frozenset({12345}))
ROOT = Peer(pid=8, uid=0, groups=frozenset({0}))


class Line:
    """The other side, and the service: what they were told."""

    def __init__(self) -> None:
        self.due = 0
        self.refused = 0
        self.has_room = True
        self.left = 0
        self.answers: list[Answer] = []
        self.tells: list[Tell] = []

    def is_due(self) -> None:
        self.due += 1

    def take_watchers_place(self) -> bool:
        return self.has_room

    def push(self, data: bytes) -> None:
        raise AssertionError(data)

    def note_refusal(self) -> None:
        self.refused += 1

    # -- the service

    def status(self) -> JsonObject:
        return {"version": 1}

    def survey(self, answer: Answer) -> None:
        self.answers.append(answer)

    def watch(self, tell: Tell) -> Callable[[], None]:
        self.tells.append(tell)
        tell({"initial": True})
        return self.leave

    def leave(self) -> None:
        self.left += 1


@pytest.fixture
def line() -> Line:
    return Line()


def talk(line: Line, peer: Peer = ANYBODY) -> Conversation:
    return Conversation(line, Dispatcher(cast(Service, line), Authority("")), peer)


def call(method: str, **flags: Any) -> bytes:
    return json.dumps({"method": f"org.kingd.{method}", **flags}).encode() + b"\0"


def replies(conversation: Conversation) -> list[JsonObject]:
    said = []
    while conversation.backlog:
        said += [json.loads(each) for each in conversation.next_bytes().split(b"\0")[:-1]]
    return said


def test_message_may_come_in_pieces_and_several_at_once(line: Line) -> None:
    one = talk(line)
    data = call("Status") * 2
    for byte in data[:-1]:
        one.receive(bytes([byte]))
    one.answer_next()
    one.receive(data[-1:])
    one.answer_next()
    assert replies(one) == [{"parameters": {"version": 1}}] * 2
    assert one.received == 0


def test_who_wants_no_reply_gets_none(line: Line) -> None:
    one = talk(line)
    one.receive(call("Status", oneway=True))
    one.answer_next()
    assert (one.backlog, one.is_served) == (0, False)


@pytest.mark.parametrize("data", [b"\0", b"[]\0", b'{"method": 1}\0', b"\xff\0"])
def test_garbage_is_raised(line: Line, data: bytes) -> None:
    one = talk(line)
    one.receive(data)
    with pytest.raises(Garbage):
        one.answer_next()


def test_refusal_is_a_reply_and_is_noted(line: Line) -> None:
    one = talk(line)
    one.receive(call("Reload"))
    one.answer_next()
    (reply,) = replies(one)
    assert (reply["error"], line.refused) == ("org.kingd.NotAuthorized", 1)


def test_answer_that_comes_later_is_due_when_it_comes(line: Line) -> None:
    one = talk(line)
    one.receive(call("Survey") * 2)
    one.answer_next()
    assert (one.is_served, one.backlog, line.due) == (True, 0, 0)
    line.answers.pop()({"agree": True})
    assert (one.is_served, line.due, replies(one)) == (False, 1, [{"parameters": {"agree": True}}])
    one.answer_next()
    line.answers.pop()(ServiceError("TimedOut", "nobody"))
    assert replies(one) == [{"error": "org.kingd.TimedOut", "parameters": {"message": "nobody"}}]


def test_answer_that_is_encoded_already_goes_out_as_the_very_bytes(line: Line) -> None:
    shared, both = encoded_reply((b'{"version":', b"1}")), [talk(line), talk(line)]
    for one in both:
        one.receive(call("Survey"))
        one.answer_next()
        line.answers.pop()(shared)
    assert all(one.next_bytes() is shared for one in both)
    assert json.loads(shared[:-1]) == {"parameters": {"version": 1}}


def test_stream_goes_on_until_the_service_or_the_client_ends_it(line: Line) -> None:
    for ends_by_itself in (True, False):
        one = talk(line)
        one.receive(call("Watch", more=True) + call("Status"))
        one.answer_next()
        tell = line.tells.pop()
        tell({"seq": 1})
        assert one.is_watching
        assert [each["continues"] for each in replies(one)] == [True, True]
        if ends_by_itself:
            tell(None)
            assert (one.has_ended, one.has_message, one.backlog) == (True, False, 0)
        else:
            one.end()
            tell({"seq": 2})
        assert (one.is_served, one.is_watching, one.backlog) == (False, False, 0)
    assert line.left == 2


def test_watcher_without_a_place_is_told_so(line: Line) -> None:
    line.has_room = False
    one = talk(line)
    one.receive(call("Watch", more=True))
    one.answer_next()
    assert replies(one)[0]["error"] == "org.kingd.Busy"
    assert (one.is_served, line.tells) == (False, [])


def test_who_has_gone_is_told_nothing_more(line: Line) -> None:
    one = talk(line)
    one.receive(call("Survey"))
    one.answer_next()
    one.end()
    line.answers.pop()({"agree": True})
    assert (one.backlog, line.due, one.is_served) == (0, 0, False)
