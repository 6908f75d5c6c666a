"""kingctl against a daemon whose answers the test chooses: exit codes, stdout for the answer, stderr for the rest."""

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kingd.cli.main import run
from kingd.control.service import JsonObject
from tests.cli.fake_kingd import BOX1, BOX2, FakeKingd, event, running, status, view


@pytest.fixture
def kingd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeKingd]:
    monkeypatch.setenv("KINGCTL_SOCKET", str(tmp_path / "control.sock"))
    with running(tmp_path / "control.sock") as server:
        yield server
        assert server.failures == []


FOLLOWER = status(role="follower", leader=BOX1)
LEADER = status(role="leader", leader=BOX2)
SEEKING = status(role="candidate", leader=None)
JOINING = status(role="joining", leader=None, reason="joined", problems=["no interface is up"])
ISOLATED = status(role="candidate", leader=None, reason="isolated")
STALLED = status(role="leader", leader=None, reason="stalled")
NO_QUORUM = status(
    role="candidate", leader=None, quorum={"voters": ["box1", "box2", "box3"], "reachable": 1, "ok": False}
)


@pytest.mark.parametrize(
    ("answer", "is_leader", "leader", "words"),
    [
        (LEADER, 0, 0, "box2 leads: it is this node"),
        (FOLLOWER, 1, 0, "box1 leads, not this node (box2)"),
        (SEEKING, 4, 1, "an election is under way"),
        (JOINING, 4, 4, "no interface is up"),
        (ISOLATED, 4, 4, "isolated"),
        (STALLED, 4, 4, "stalled"),
        (NO_QUORUM, 4, 4, "1 of 3 voters reachable (box1, box2, box3)"),
        (status(role="leader", leader=BOX1), 1, 0, "box1 leads"),  # never "yes" because of the role alone
    ],
    ids=["leader", "follower", "seeking", "joining", "isolated", "stalled", "no-quorum", "confused"],
)
def test_who_leads(
    kingd: FakeKingd, capfd: pytest.CaptureFixture[str], answer: JsonObject, is_leader: int, leader: int, words: str
) -> None:
    kingd.service.status_is = answer
    assert run(["is-leader"]) == is_leader
    assert capfd.readouterr() == ("", "")
    assert run(["is-leader", "-v"]) == is_leader
    said = capfd.readouterr()
    assert (said.out, words in said.err) == ("", True)
    assert run(["leader"]) == leader
    said = capfd.readouterr()
    known = answer["leader"]
    assert said.out == (f"{known['name']}\n" if isinstance(known, dict) else "")
    assert (said.err == "") is (leader == 0)


@pytest.mark.parametrize(
    ("argv", "out"),
    [
        (["--address"], "10.0.0.1:5466\n"),
        (["--term"], "12\n"),
        (["--tag", "url"], "http://box1/\n"),
    ],
)
def test_leader_prints_what_is_asked_for(
    kingd: FakeKingd, capfd: pytest.CaptureFixture[str], argv: list[str], out: str
) -> None:
    assert run(["leader", *argv]) == 0
    assert capfd.readouterr() == (out, "")


def test_leader_without_that_tag_or_address_is_a_no(kingd: FakeKingd, capfd: pytest.CaptureFixture[str]) -> None:
    kingd.service.status_is = status(role="follower", leader={**BOX1, "address": None, "tags": {}})
    for form in (["--tag", "url"], ["--address"]):
        assert run(["leader", *form]) == 1
        said = capfd.readouterr()
        assert (said.out, "box1 leads" in said.err) == ("", True)


def test_leader_json_says_also_that_there_is_none(kingd: FakeKingd, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["leader", "--json"]) == 0
    answer = json.loads(capfd.readouterr().out)
    assert (answer["version"], answer["leader"]["name"], answer["term"], answer["leader_age_ms"]) == (1, "box1", 12, 37)
    kingd.service.status_is = SEEKING
    assert run(["leader", "--json"]) == 1
    assert json.loads(capfd.readouterr().out)["leader"] is None


VERBS = [
    ["leader"],
    ["is-leader"],
    ["status"],
    ["members"],
    ["survey"],
    ["history"],
    ["watch"],
    ["wait"],
    ["wait", "--me"],
    ["step-down"],
    ["priority", "1"],
    ["reload"],
]


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_no_daemon_is_3(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], verb: list[str]
) -> None:
    path = tmp_path / "s"
    monkeypatch.setenv("KINGCTL_SOCKET", str(path))
    assert run(verb) == 3
    assert "start it (systemctl start kingd)" in capfd.readouterr().err
    with socket.socket(socket.AF_UNIX) as crashed:
        crashed.bind(str(path))
    assert run(verb) == 3
    said = capfd.readouterr()
    assert (said.out, "nobody answers" in said.err) == ("", True)


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_daemon_that_does_not_answer_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], verb: list[str]
) -> None:
    """As when it is stopped (SIGSTOP): the kernel takes the connection, nobody reads it."""
    monkeypatch.setenv("KINGCTL_SOCKET", str(tmp_path / "s"))
    with socket.socket(socket.AF_UNIX) as stopped:
        stopped.bind(str(tmp_path / "s"))
        stopped.listen()
        assert run([*verb, "--timeout", "50ms"]) == (4 if verb == ["is-leader"] else 1)
    said = capfd.readouterr()
    assert (said.out, "did not answer in time" in said.err) == ("", True)


@pytest.mark.parametrize("reply", [b"{}\0", b"nonsense\0", b"[]\0", b'{"parameters":{"term":"x","leader":7}}\0'])
@pytest.mark.parametrize(
    "verb", [["leader"], ["is-leader"], ["status"], ["members"], ["survey"], ["history"]], ids=" ".join
)
def test_daemon_of_another_version_is_4_and_no_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], reply: bytes, verb: list[str]
) -> None:
    monkeypatch.setenv("KINGCTL_SOCKET", str(tmp_path / "s"))
    with socket.socket(socket.AF_UNIX) as strange:
        strange.bind(str(tmp_path / "s"))
        strange.listen()

        def answer() -> None:
            connection, _ = strange.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(reply)

        thread = threading.Thread(target=answer)
        thread.start()
        assert run(verb) == 4
        thread.join()
    assert "is not understood" in capfd.readouterr().err


USAGE = [
    [],
    ["nonsense"],
    ["leader", "--nonsense"],
    ["leader", "extra"],
    ["leader", "--json", "--term"],
    ["leader", "--tag"],
    ["leader", "--timeout", "soon"],
    ["leader", "--timeout", "-1s"],
    ["--instance", "../etc", "leader"],
    ["is-leader", "--json"],
    ["priority"],
    ["priority", "high"],
    ["priority", "65536"],
    ["priority", "--", "-1"],
    ["wait", "--me", "--leader"],
    ["step-down", "--for", "none"],
    ["lab"],
    ["lab", "kill"],
]


@pytest.mark.parametrize("argv", USAGE, ids=" ".join)
def test_wrong_usage_is_2(kingd: FakeKingd, capfd: pytest.CaptureFixture[str], argv: list[str]) -> None:
    assert run(argv) == 2
    said = capfd.readouterr()
    assert (said.out, "Error: " in said.err) == ("", True)
    assert kingd.service.calls == []


@pytest.mark.parametrize(
    "verb", [[], *([verb[0]] for verb in VERBS), ["check-config"], ["version"], ["lab"], ["lab", "start"]], ids=" ".join
)
def test_help_is_0(capfd: pytest.CaptureFixture[str], verb: list[str]) -> None:
    assert run([*verb, "--help"]) == 0
    said = capfd.readouterr()
    assert (said.out.startswith("Usage: kingctl"), said.err) == (True, "")


@pytest.mark.parametrize("verb", ["status", "members", "survey"])
def test_json_is_the_daemons_own_object(kingd: FakeKingd, capfd: pytest.CaptureFixture[str], verb: str) -> None:
    assert run([verb, "--json"]) == 0
    lines = capfd.readouterr().out.splitlines()
    service = kingd.service
    own = {"status": service.status_is, "members": service.members_are, "survey": service.survey_is}
    assert [json.loads(line) for line in lines] == [own[verb]]


def test_history_is_an_event_a_line_in_json_as_watch_has_them(
    kingd: FakeKingd, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["history", "--json"]) == 0
    lines = capfd.readouterr().out.splitlines()
    assert [json.loads(line) for line in lines] == kingd.service.history_is["events"]


def test_status_tells_a_person_everything(kingd: FakeKingd, capfd: pytest.CaptureFixture[str]) -> None:
    kingd.service.status_is = {**FOLLOWER, "problems": ["multicast does not arrive"]}
    assert run(["status"]) == 0
    assert capfd.readouterr().out.splitlines() == [
        "node      box2 (10.0.0.2:5466), priority 200: follower",
        "leader    box1 (10.0.0.1:5466), priority 300; heard 37 ms ago",
        "term      12",
        "since     2026-11-23 12:00:00.000Z: leader-timeout",
        "members   2 alive, 1 dead",
        "cluster   default, availability mode: if the LAN is cut, each part has a leader",
        "security  enforce: signs with key 17; believes key 4 too",
        "problem   multicast does not arrive",
        "stranger  10.0.0.9:5466: other-cluster, 900 ms ago",
        "refused   3 other-cluster (datagrams since the start)",
    ]


@pytest.mark.parametrize(
    ("security", "line"),
    [
        ({"mode": "off", "keys": []}, "off: whoever can send to the LAN is believed"),
        ({"mode": "permissive", "keys": [17]}, "permissive: signs with key 17; believes what is not signed too"),
        (
            {"mode": "permissive", "keys": [17, 4]},
            "permissive: signs with key 17; believes key 4, what is not signed too",
        ),
        ({"mode": "enforce", "keys": [4, 17, 9]}, "enforce: signs with key 4; believes key 17, key 9 too"),
    ],
)
def test_status_says_who_is_believed(
    kingd: FakeKingd, capfd: pytest.CaptureFixture[str], security: dict[str, object], line: str
) -> None:
    kingd.service.status_is = {**FOLLOWER, "security": security}
    assert run(["status"]) == 0
    assert f"security  {line}\n" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("answer", "leader"),
    [
        (JOINING, "not known yet: this node is joining: no interface is up"),
        (NO_QUORUM, "not known: no quorum, 1 of 3 voters reachable"),
        (ISOLATED, "not known: this node is isolated"),
        (SEEKING, "there is no leader now"),
        (LEADER, "this node"),
    ],
)
def test_status_is_an_answer_in_every_state(
    kingd: FakeKingd, capfd: pytest.CaptureFixture[str], answer: JsonObject, leader: str
) -> None:
    kingd.service.status_is = answer
    assert run(["status"]) == 0
    said = capfd.readouterr()
    assert said.out.splitlines()[1].startswith(f"leader    {leader}")
    assert said.err == ""


def test_members_are_a_table(kingd: FakeKingd, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["members"]) == 0
    assert capfd.readouterr().out.splitlines() == [
        "NAME  PRIORITY  ROLE      STATE  HEARD      ADDRESS        VERSION  ID",
        "box1  300       leader    alive  37 ms ago  10.0.0.1:5466  0.1.0    00000000000000a1",
        "box2  200       follower  alive  -          10.0.0.2:5466  0.1.0    00000000000000a2",
    ]


def test_survey_is_1_if_the_views_differ(kingd: FakeKingd, capfd: pytest.CaptureFixture[str]) -> None:
    nodes = [
        view(BOX2, leader="box2", rtt_ms=None),
        view(BOX1, leader="box1"),
        view({**BOX1, "name": "box3"}, leader=None, ok=False),
    ]
    kingd.service.survey_is = {"version": 1, "agree": False, "nodes": nodes}
    assert run(["survey"]) == 1
    said = capfd.readouterr()
    assert said.out.splitlines() == [
        "NAME  PRIORITY  LEADER  TERM  ANSWER",
        "box2  200       box2    12    this node",
        "box1  300       box1    12    0.8 ms",
        "box3  300       -       -     dead: no answer",
    ]
    assert "2 alive say box1 or box2; 1 did not answer" in said.err


@pytest.mark.parametrize(("answer", "code"), [(SEEKING, 1), (JOINING, 4), (NO_QUORUM, 4)])
def test_survey_of_nodes_that_know_no_leader_says_why(
    kingd: FakeKingd, capfd: pytest.CaptureFixture[str], answer: JsonObject, code: int
) -> None:
    kingd.service.survey_is = {
        "version": 1,
        "agree": False,
        "nodes": [view(BOX2, leader=None), view(BOX1, leader=None)],
    }
    kingd.service.status_is = answer
    assert run(["survey"]) == code
    survey = capfd.readouterr().err
    assert run(["leader"]) == code
    assert capfd.readouterr().err == survey


def test_text_of_another_host_cannot_reach_the_terminal(kingd: FakeKingd, capfd: pytest.CaptureFixture[str]) -> None:
    evil = {**BOX1, "name": "\x1b[2Jbox1", "tags": {"url": "\x1b]0;x\x07"}}
    kingd.service.status_is = status(role="follower", leader=evil, problems=["\x1b[31m"])
    kingd.service.present = event("leader-changed", role="follower", leader=evil, initial=True)
    for argv in (
        ["leader"],
        ["leader", "--tag", "url"],
        ["status"],
        ["is-leader", "-v"],
        ["wait"],
        ["leader", "--json"],
    ):
        run(argv)
        said = capfd.readouterr()
        assert "\x1b" not in said.out + said.err
