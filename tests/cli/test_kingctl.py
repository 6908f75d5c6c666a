"""kingctl against a daemon whose answers the test chooses: exit codes, stdout for the answer, stderr for the rest."""

import contextlib
import fcntl
import json
import os
import pty
import socket
import struct
import subprocess
import sys
import termios
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
    role="candidate",
    leader=None,
    quorum={"voters": ["box1", "box2", "box3"], "reachable": 1, "missing": ["box1", "box3"], "ok": False},
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
        (NO_QUORUM, 4, 4, "NO quorum, 1 of 3 voters reachable and 2 needed; missing: box1, box3"),
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
        "refused   2 other-cluster (datagrams in the last minute; kingctl(1) explains the words)",
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
        (NO_QUORUM, "not known: NO quorum, 1 of 3 voters reachable"),
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


@pytest.mark.parametrize(
    ("leader", "reachable", "missing", "ok", "words"),
    [
        (BOX1, 3, [], True, "quorum, 3 of 3 voters reachable"),
        (BOX1, 2, ["box3"], True, "quorum, 2 of 3 voters reachable; missing: box3"),
        (
            BOX1,
            1,
            ["box2", "box3"],
            True,
            "quorum by the leader's word; from here 1 of 3 voters reachable; missing: box2, box3",
        ),
        (None, 2, ["box3"], True, "no leader yet, 2 of 3 voters reachable and 2 needed; missing: box3"),
        (
            None,
            2,
            ["box3"],
            False,
            "quorum lost, but 2 of 3 voters reachable again and 2 needed: an election is due; missing: box3",
        ),
        (None, 1, ["box1", "box3"], False, "NO quorum, 1 of 3 voters reachable and 2 needed; missing: box1, box3"),
    ],
)
def test_status_has_numbers_that_fit_the_word(
    kingd: FakeKingd,
    capfd: pytest.CaptureFixture[str],
    leader: JsonObject | None,
    reachable: int,
    missing: list[str],
    ok: bool,
    words: str,
) -> None:
    quorum = {"voters": ["box1", "box2", "box3"], "reachable": reachable, "missing": missing, "ok": ok}
    kingd.service.status_is = status(role="follower", leader=leader, mode="quorum", quorum=quorum)
    assert run(["status"]) == 0
    lines = capfd.readouterr().out.splitlines()
    assert "cluster   default, quorum mode; voters: box1, box2, box3" in lines
    assert f"quorum    {words}" in lines


def test_status_says_that_this_host_is_in_no_list(kingd: FakeKingd, capfd: pytest.CaptureFixture[str]) -> None:
    quorum = {"voters": ["box1", "bxo2", "box3"], "reachable": 2, "missing": ["bxo2"], "ok": True}
    kingd.service.status_is = status(role="follower", leader=BOX1, mode="quorum", quorum=quorum)
    assert run(["status"]) == 0
    assert "          box2, this host, is not in quorum.voters: it does not vote\n" in capfd.readouterr().out


def test_status_says_how_long_this_node_may_not_lead(kingd: FakeKingd, capfd: pytest.CaptureFixture[str]) -> None:
    barred = {"eligible": False, "ineligible_reason": "step-down", "ineligible_ms": 42_000}
    node = status(role="follower", leader=BOX1)["node"]
    assert isinstance(node, dict)
    kingd.service.status_is = {**FOLLOWER, "node": {**node, **barred}}
    assert run(["status"]) == 0
    assert "          may not lead: step-down, for another 42.0 s\n" in capfd.readouterr().out
    kingd.service.status_is = {**SEEKING, "node": {**node, **barred}}
    assert run(["leader"]) == 1
    assert "may not lead (step-down, for another 42.0 s;" in capfd.readouterr().err


def test_status_says_that_the_priority_in_force_is_not_that_of_the_file(
    kingd: FakeKingd, capfd: pytest.CaptureFixture[str]
) -> None:
    node = status(role="follower", leader=BOX1)["node"]
    assert isinstance(node, dict)
    kingd.service.status_is = {**FOLLOWER, "node": {**node, "configured_priority": 100}}
    assert run(["status"]) == 0
    said = capfd.readouterr().out
    assert "its priority is by kingctl, until a reload or a restart; the configuration says 100\n" in said


def on_a_terminal(columns: int, *argv: str) -> list[str]:
    """What a person sees there."""
    parent, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    subprocess.run([sys.executable, "-m", "kingd.cli", *argv], stdout=child, env=environment, check=True)
    os.close(child)
    said = b""
    with contextlib.suppress(OSError):  # EIO: nobody has the other end any more
        while data := os.read(parent, 4096):
            said += data
    os.close(parent)
    return said.decode().splitlines()


@pytest.mark.parametrize("columns", [40, 60, 80, 200])
@pytest.mark.parametrize("verb", ["members", "survey", "history", "status"])
def test_lines_fit_the_terminal(kingd: FakeKingd, verb: str, columns: int) -> None:
    kingd.service.history_is = {
        "version": 1,
        "events": [event("elected", role="leader", leader=BOX2, previous_leader=BOX1, reason="priority-changed")],
    }
    lines = on_a_terminal(columns, verb)
    too_narrow = verb == "history" and columns < 80  # the least that is said there is time, what and why
    assert too_narrow or max(map(len, lines)) <= columns
    if verb == "members":
        assert (
            lines[0].split()
            == {
                40: ["NAME", "ROLE", "STATE", "ADDRESS"],
                60: ["NAME", "PRIORITY", "ROLE", "STATE", "HEARD", "ADDRESS"],
                80: ["NAME", "PRIORITY", "ROLE", "STATE", "HEARD", "ADDRESS", "ID"],
                200: ["NAME", "PRIORITY", "ROLE", "STATE", "HEARD", "ADDRESS", "VERSION", "ID"],
            }[columns]
        )


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
