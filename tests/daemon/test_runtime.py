"""The process: how it starts, what it refuses, how it ends, and the exact fields of its answers. Real daemons on lo."""

import json
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kingd import __version__
from kingd.control.client import CallFailed, DaemonUnreachable, JsonObject, stream
from tests.daemon.running import PATIENCE_S, TOP, Daemon


def test_version() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "kingd", "--version"], cwd=TOP, capture_output=True, text=True, check=True
    )
    assert run.stdout == f"kingd {__version__}\n"


@pytest.mark.parametrize("stdout", [">/dev/full", ">&-"])
@pytest.mark.parametrize("option", ["--version", "--help", "--check-config"])
def test_answer_that_cannot_be_written_is_74_and_no_traceback(option: str, stdout: str) -> None:
    line = f'"$0" -m kingd --config /dev/null {option} {stdout}'
    run = subprocess.run(["/bin/sh", "-c", line, sys.executable], cwd=TOP, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout) == (74, "")
    assert "kingd: the answer could not be written to standard output: " in run.stderr
    assert "Traceback" not in run.stderr


# -- configuration


def test_check_config_of_a_good_file(daemon: Daemon) -> None:
    daemon.config.write_text("priority = 7\n")
    daemon.options = ("--check-config",)
    run = daemon.run()
    assert (run.returncode, run.stderr) == (0, "")
    assert not (daemon.folder / "state").exists()  # nothing was started


@pytest.mark.parametrize("options", [("--check-config",), ()], ids=["check", "start"])
def test_wrong_configuration_is_78_and_names_file_key_value_and_what_is_allowed(
    daemon: Daemon, options: tuple[str, ...]
) -> None:
    daemon.config.write_text("priority = 70000\n[timing]\nheartbeat = true\n")
    daemon.options = options
    run = daemon.run()
    assert run.returncode == 78
    first, second = run.stderr.splitlines()
    assert str(daemon.config) in first
    assert "priority" in first
    assert "70000" in first
    assert "65535" in first
    assert "timing.heartbeat" in second
    assert "true" in second


def test_missing_file_that_was_named_is_78(daemon: Daemon) -> None:
    daemon.config.unlink()
    run = daemon.run()
    assert run.returncode == 78
    assert str(daemon.config) in run.stderr


def test_pid_file_without_detach_is_a_usage_error(daemon: Daemon) -> None:
    daemon.options = ("--pid-file", str(daemon.folder / "pid"))
    assert daemon.run().returncode == 2


# -- start and end


def test_064_sigterm_ends_with_0(daemon: Daemon) -> None:
    daemon.start()
    daemon.until_leader("box1")
    code, said = daemon.stop()
    assert code == 0
    assert "Traceback" not in said
    assert not Path(daemon.socket).exists()


def test_064_sigterm_hands_over_first(daemons: list[Daemon]) -> None:
    first, second = daemons
    first.options = ("--priority", "200")
    for daemon in daemons:
        daemon.start()
    second.until_leader("box1")
    assert first.stop()[0] == 0
    event = second.until_leader("box2")
    assert event["reason"] == "leader-left"


def test_sigint_ends_with_0(daemon: Daemon) -> None:
    daemon.start()
    daemon.signal(signal.SIGINT)
    assert daemon.ends()[0] == 0


def test_term_rises_over_a_restart(daemon: Daemon) -> None:
    terms = []
    for _ in range(2):
        daemon.start()
        terms.append(daemon.until_leader("box1")["term"])
        daemon.stop()
    assert isinstance(terms[0], int)
    assert isinstance(terms[1], int)
    assert terms[0] < terms[1]


def test_second_daemon_on_the_same_state_folder_is_refused(daemon: Daemon) -> None:
    daemon.start()
    first_socket, daemon.socket = daemon.socket, str(daemon.folder / "other.sock")
    run = daemon.run()
    daemon.socket = first_socket
    assert run.returncode == 73
    assert f"{daemon.folder / 'state'} is in use by another kingd" in run.stderr
    assert daemon.ask("Status")["version"] == 1  # the first one is as it was


def test_second_daemon_on_the_same_socket_is_refused(daemons: list[Daemon]) -> None:
    first, second = daemons
    first.start()
    second.socket = first.socket
    run = second.run()
    assert run.returncode == 73
    assert first.socket in run.stderr
    assert first.ask("Status")["version"] == 1


def test_socket_left_by_a_killed_daemon_is_replaced(daemon: Daemon) -> None:
    daemon.start()
    daemon.signal(signal.SIGKILL)
    daemon.ends()
    assert Path(daemon.socket).exists()
    daemon.start()
    daemon.until_leader("box1")


def test_removed_state_folder_is_made_again_and_is_not_free_for_a_second_daemon(daemon: Daemon) -> None:
    daemon.start()
    daemon.until_leader("box1")
    file = daemon.folder / "state" / "state.json"
    former = json.loads(file.read_text())
    (daemon.folder / "state").rename(daemon.folder / "moved")
    until(lambda: any("was removed while kingd ran" in problem for problem in problems(daemon)))
    until(file.exists)
    assert json.loads(file.read_text())["node_id"] == former["node_id"]
    first_socket, daemon.socket = daemon.socket, str(daemon.folder / "other.sock")
    run = daemon.run()
    daemon.socket = first_socket
    assert run.returncode == 73
    assert "is in use by another kingd" in run.stderr
    assert "was removed while kingd ran" in daemon.stop()[1]


def test_removed_control_socket_is_made_again(daemon: Daemon) -> None:
    daemon.start()
    daemon.until_leader("box1")
    events = stream(daemon.socket, "Watch")
    next(events)
    Path(daemon.socket).unlink()
    until(lambda: is_answered(daemon))
    daemon.signal(signal.SIGTERM)
    assert "initial" not in next(events)  # who was there is still there
    assert "was removed by somebody: made again" in daemon.ends()[1]


def is_answered(daemon: Daemon) -> bool:
    try:
        return daemon.ask("Status")["version"] == 1
    except DaemonUnreachable:  # never that it does not run
        return False


def problems(daemon: Daemon) -> list[str]:
    found = daemon.ask("Status")["problems"]
    assert isinstance(found, list)
    return found


def until(condition: Callable[[], bool]) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end_s
        time.sleep(0.02)


BROKEN = """
import sys
from kingd.core.election import Core

def broken(self, *_, **__):
    raise AssertionError("a mistake made on purpose")

Core.{entry} = broken
from kingd.daemon.main import main
main(sys.argv[1:])
"""


@pytest.mark.parametrize("entry", ["tick", "links_changed", "persisted"])
def test_mistake_in_the_core_ends_the_process_and_says_why(daemon: Daemon, entry: str) -> None:
    """A half-dead leader is worse than none: timer, callback of the network, background work."""
    daemon.spawn("-c", BROKEN.format(entry=entry))
    code, said = daemon.ends()
    assert code not in (0, 78)
    assert "a mistake made on purpose" in said
    assert "AssertionError" in said


def test_mistake_while_handling_a_datagram_ends_the_process(daemons: list[Daemon]) -> None:
    first, second = daemons
    second.start()
    first.spawn("-c", BROKEN.format(entry="receive"))
    code, said = first.ends()
    assert code == 70
    assert "a mistake made on purpose" in said
    assert second.ask("Status")["version"] == 1


PICKY = """
import sys
from kingd.core.election import Core

receive = Core.receive

def picky(self, datagram, **how):
    assert datagram.header.session != self.node.session, "heard itself"
    return receive(self, datagram, **how)

Core.receive = picky
from kingd.daemon.main import main
main(sys.argv[1:])
"""


def test_own_multicasts_are_not_decoded(daemon: Daemon) -> None:
    daemon.spawn("-c", PICKY)
    daemon.until_ready()
    daemon.until_leader("box1")
    code, said = daemon.stop()
    assert (code, "heard itself" in said) == (0, False)


def test_junk_on_the_port_is_counted_and_told(daemon: Daemon) -> None:
    daemon.start()
    daemon.until_leader("box1")
    node = daemon.ask("Status")["node"]
    assert isinstance(node, dict)
    host, port = str(node["address"]).rsplit(":", 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for data in (b"", b"hello", b"Kg" + bytes(200), bytes(4000)):
            sender.sendto(data, (host, int(port)))
    rejected: object = None
    for _ in range(200):  # each answer takes a turn of its loop
        rejected = daemon.ask("Status")["rejected"]
        if isinstance(rejected, dict) and sum(rejected.values()) >= 4:
            break
    assert rejected == {"magic": 2, "version": 1, "oversized": 1}
    code, said = daemon.stop()
    assert code == 0
    assert said.count("refused a datagram from") == 3  # once per reason and source


# -- reload


def test_sighup_applies_a_good_file_and_keeps_leadership(daemon: Daemon) -> None:
    daemon.start()
    before = daemon.until_leader("box1")
    daemon.config.write_text('priority = 150\n[tags]\nurl = "x"\n[network]\nbroadcast = false\n')
    daemon.signal(signal.SIGHUP)
    while (node := daemon.ask("Status")["node"]) and isinstance(node, dict) and node["priority"] != 150:
        pass
    status = daemon.ask("Status")
    assert status["term"] == before["term"]
    _, said = daemon.stop()
    assert "reloaded: " in said
    assert "priority" in said
    assert "need a restart to take effect: network.broadcast" in said


def test_reload_says_what_waits_for_a_restart_until_nothing_does(daemon: Daemon) -> None:
    """`systemctl reload` prints nothing: `systemctl status` and `kingctl status` have it."""
    daemon.start()
    daemon.until_leader("box1")
    daemon.config.write_text("priority = 150\n[network]\nbroadcast = false\n")
    assert daemon.ask("Reload")["needs_restart"] == ["network.broadcast"]
    daemon.until_told(lambda status: status.endswith("; needs a restart: network.broadcast"))
    problems = daemon.ask("Status")["problems"]
    assert isinstance(problems, list)
    assert "changed, and in force only after a restart of kingd: network.broadcast" in problems
    daemon.config.write_text("priority = 150\n")  # taken back
    daemon.ask("Reload")
    daemon.until_told(lambda status: "restart" not in status)
    problems = daemon.ask("Status")["problems"]
    assert isinstance(problems, list)
    assert not [problem for problem in problems if "restart" in problem]


def test_sighup_with_a_bad_file_changes_nothing_and_says_so(daemon: Daemon) -> None:
    daemon.start()
    daemon.until_leader("box1")
    daemon.config.write_text("priority = 150\nheartbeet = 1\n")
    with pytest.raises(CallFailed) as caught:
        daemon.ask("Reload")
    assert caught.value.name == "org.kingd.BadConfig"
    daemon.signal(signal.SIGHUP)
    assert daemon.process is not None
    assert daemon.process.stderr is not None
    for line in daemon.process.stderr:
        if "nothing was changed" in line:
            assert "heartbeet" in line
            break
    node = daemon.ask("Status")["node"]
    assert isinstance(node, dict)
    assert node["priority"] == 100


def test_reload_takes_a_live_priority_back_and_says_so(daemon: Daemon) -> None:
    daemon.start()
    daemon.until_leader("box1")
    daemon.ask("SetPriority", priority=200)
    assert priorities(daemon) == (200, 100)
    answer = daemon.ask("Reload")
    assert answer["applied"] == ["priority"]
    assert answer["notes"] == ["priority is back to 100 of the configuration; it was 200 by kingctl"]
    assert priorities(daemon) == (100, 100)
    daemon.ask("SetPriority", priority=150)
    daemon.config.write_text("priority = 150\n")  # the file has caught up
    assert daemon.ask("Reload")["notes"] == []
    assert priorities(daemon) == (150, 150)
    daemon.config.write_text("priority = 160\n")
    assert daemon.ask("Reload")["notes"] == []
    _, said = daemon.stop()
    assert said.count("priority is back to 100 of the configuration; it was 200 by kingctl") == 1


def priorities(daemon: Daemon) -> tuple[object, object]:
    node = daemon.ask("Status")["node"]
    assert isinstance(node, dict)
    return node["priority"], node["configured_priority"]


# -- what the log says of problems


def test_copied_state_folder_is_told_in_the_log_of_who_stays_out(daemons: list[Daemon]) -> None:
    first, copy = daemons
    first.start()
    first.until_leader("box1")
    shutil.copytree(first.folder / "state", copy.folder / "state", ignore=shutil.ignore_patterns("lock", "*.new"))
    copy.start()
    assert copy.process is not None
    assert copy.process.stderr is not None
    assert any("problem: node id" in line and "a copied state folder" in line for line in copy.process.stderr)


# -- a gap


def test_follower_that_did_not_run_says_so_once_and_accuses_nobody(daemons: list[Daemon]) -> None:
    first, second = daemons
    first.options = ("--priority", "200")
    for daemon in daemons:
        daemon.start()
    second.until_leader("box1")
    problems(second)  # it has answered, and so it waits again when it is stopped
    second.signal(signal.SIGSTOP)
    time.sleep(4)  # the gap: longer than three announcements, after which who does not answer is told
    second.signal(signal.SIGCONT)
    until_contact = time.monotonic() + 1
    while time.monotonic() < until_contact:
        assert not [each for each in problems(second) if "does not answer" in each]
    second.until_leader("box1")
    code, said = second.stop()
    assert (code, said.count("the process did not run for")) == (0, 1), said
    assert "does not answer" not in said


# -- the fields of the answers: INTERFACE of kingctl --json, exactly

PEER, ELIGIBILITY = {"id", "name", "priority", "address"}, ("eligible", "ineligible_reason")
EVENT = {
    *("version", "event", "time", "monotonic_ns", "role", "previous_role", "term", "seq"),
    *("leader", "previous_leader", "reason", "evidence", "repeat"),
}


def keys(value: object) -> set[str]:
    assert isinstance(value, dict)
    return set(value)


def rows(answer: JsonObject, key: str) -> list[dict[str, object]]:
    found = answer[key]
    assert isinstance(found, list)
    return found


def test_fields_of_status(pair: Daemon) -> None:
    while "state-not-writable" in json.dumps(status := pair.ask("Status")):  # its first write waits for a slow disk
        time.sleep(0.01)
    assert keys(status) == {
        *("version", "cluster", "mode", "node", "leader", "term", "leader_age_ms", "valid_ms", "since", "reason"),
        *("members", "quorum", "strangers", "problems", "rejected", "rejected_lately", "security"),
    }
    assert (status["version"], status["cluster"], status["mode"]) == (1, pair.cluster, "availability")
    assert keys(status["node"]) == {
        *(*PEER, "configured_priority", "role", *ELIGIBILITY, "ineligible_detail", "ineligible_ms", "version")
    }
    assert keys(status["leader"]) == {*PEER, "tags"}
    assert status["members"] == {"alive": 2, "dead": 0}
    assert status["quorum"] == {"voters": [], "reachable": 2, "missing": [], "ok": True}
    assert status["strangers"] == []
    node, leader = status["node"], status["leader"]
    assert isinstance(node, dict)
    assert isinstance(leader, dict)
    assert (node["role"], node["eligible"], node["ineligible_reason"]) == ("follower", True, None)
    assert len(str(node["id"])) == 16
    assert isinstance(status["leader_age_ms"], int)
    assert 0 <= status["leader_age_ms"] <= 500
    assert isinstance(status["valid_ms"], int)


def test_tags_of_the_leader_come_with_its_next_announcement(pair: Daemon) -> None:
    leader: object = None
    while not (isinstance(leader, dict) and leader["tags"]):
        leader = pair.ask("Status")["leader"]
    assert leader["tags"] == {"url": "http://x"}


def test_fields_of_members(pair: Daemon) -> None:
    members = rows(pair.ask("Members"), "members")
    expected = {*PEER, "role", "state", *ELIGIBILITY, "last_heard_ms", "version"}
    assert [keys(row) for row in members] == [expected, expected]
    assert [(row["name"], row["role"], row["state"]) for row in members] == [
        ("box1", "leader", "alive"),
        ("box2", "follower", "alive"),
    ]


def test_fields_of_survey(pair: Daemon) -> None:
    survey = pair.ask("Survey")
    assert keys(survey) == {"version", "agree", "nodes"}
    nodes = rows(survey, "nodes")
    assert {frozenset(row) for row in nodes} == {
        frozenset({"id", "name", "priority", "leader", "term", "ok", *ELIGIBILITY, "rtt_ms"})
    }
    assert (survey["agree"], {row["leader"] for row in nodes}, {row["ok"] for row in nodes}) == (True, {"box1"}, {True})


def test_fields_of_watch_and_history(pair: Daemon) -> None:
    event = pair.until_leader("box1")
    assert keys(event) - {"initial"} == EVENT
    assert keys(event["leader"]) == PEER
    history = rows(pair.ask("History"), "events")
    assert history[0]["event"] == "started"
    for row in history:
        assert keys(row) == EVENT | ({"member"} if "member" in str(row["event"]) else set())
    sequence = [row["seq"] for row in history]
    assert sequence == list(range(1, len(sequence) + 1))
