"""What people tell a running cluster to do: priorities, step-down, reload, questions; by the real kingctl."""

import json
import signal
import threading
import time

import pytest

from tests.lan.control import name_of
from tests.lan.host import Host, until
from tests.lan.network import Lan

pytestmark = pytest.mark.lan
Trio = tuple[Host, Host, Host]


def test_priority_raised_on_a_follower(lan: Lan, trio: Trio) -> None:
    """It takes leadership over by a hand-over, within moments; b, whom it does not concern, is told once."""
    _, b, c = trio
    start_ns = time.monotonic_ns()
    done = c.kingctl("priority", "99")
    assert (done.returncode, done.stdout) == (0, "priority 99 (before: 10)\n")
    assert "not saved" in done.stderr
    lan.until_led_by("c")
    assert b.told(start_ns) == ["leader-changed priority-changed"]
    assert c.changes()[-1]["monotonic_ns"] - start_ns < 3e9
    until(lambda: b.members()["c"]["priority"] == 99, what=b.summary)


def test_priority_lowered_on_the_leader(lan: Lan, trio: Trio) -> None:
    """The one that outranks it now takes over; c is told once."""
    a, _, c = trio
    start_ns = time.monotonic_ns()
    assert a.kingctl("priority", "15").returncode == 0
    lan.until_led_by("b")
    assert c.told(start_ns) == ["leader-changed priority-changed"]
    assert a.told(start_ns)[0] == "deposed preempted"
    lan.steady(1)


def test_priority_lowered_on_the_leader_that_stays_the_highest(lan: Lan, trio: Trio) -> None:
    a, b, _ = trio
    start_ns = time.monotonic_ns()
    assert a.kingctl("priority", "21").returncode == 0
    until(lambda: b.members()["a"]["priority"] == 21, what=b.summary)
    lan.steady(1)
    assert not lan.changes(start_ns)


def test_priority_0_on_the_leader(lan: Lan, trio: Trio) -> None:
    """An observer: it hands over, follows, and leads not even when it is the last one."""
    a, b, c = trio
    start_ns = time.monotonic_ns()
    assert a.kingctl("priority", "0").returncode == 0
    lan.until_led_by("b")
    assert c.told(start_ns) == ["leader-changed priority-changed"]
    assert a.status()["node"]["ineligible_reason"] == "priority-0"
    for host in (b, c):
        assert host.stop() == 0
    until(lambda: a.told()[-1] == "leader-lost leader-left", what=a.summary)
    lan.steady(2)
    assert a.kingctl("leader").returncode == 1
    assert a.kingctl("priority", "1").returncode == 0
    lan.until_led_by("a")


def test_023_transfer_step_down(lan: Lan, trio: Trio) -> None:
    """The next in rank leads, its name is the answer, and the former leader does not come back before its time."""
    a, b, c = trio
    start_ns = time.monotonic_ns()
    done = a.kingctl("step-down", "--for", "3s")
    assert (done.returncode, done.stdout) == (0, "b\n")
    lan.until_led_by("b")
    assert b.told(start_ns) == ["elected step-down"]
    assert c.told(start_ns) == ["leader-changed step-down"]
    assert a.told(start_ns)[0] == "deposed step-down"
    status = a.status()["node"]
    assert (status["eligible"], status["ineligible_reason"]) == (False, "step-down")
    lan.until_led_by("a")
    assert a.changes()[-1]["monotonic_ns"] - start_ns >= 3e9


def test_023_transfer_step_down_to_a_member(lan: Lan, trio: Trio) -> None:
    """To the one named, though another outranks it; that one takes it back, for it preempts."""
    a, _, c = trio
    done = a.kingctl("step-down", "--to", "c", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["leader"]["name"] == "c"
    until(lambda: "elected step-down" in c.told())
    lan.until_led_by("b")


def test_026_transfer_refusals(lan: Lan, trio: Trio) -> None:
    """Not the leader, to itself, to nobody, to one that may not lead: refused with a sentence, and nothing changes."""
    a, b, c = trio
    assert c.kingctl("priority", "0").returncode == 0
    until(lambda: not a.members()["c"]["eligible"])
    start_ns = time.monotonic_ns()
    for host, arguments, word in (
        (b, [], "does not lead"),
        (a, ["--to", "a"], "no other live member"),
        (a, ["--to", "nobody"], "no other live member"),
        (a, ["--to", "c"], "not eligible"),
    ):
        done = host.kingctl("step-down", *arguments)
        assert (done.returncode, done.stdout) == (1, "")
        assert word in done.stderr
    lan.steady(1)
    assert not lan.changes(start_ns)


def test_027_transfer_timeout_the_successor_died(lan: Lan, trio: Trio) -> None:
    """The one named is stopped: nobody else is asked, the leader stays, and the answer says that it was in vain."""
    a, b, _ = trio
    b.signal(signal.SIGSTOP)
    done = a.kingctl("step-down", "--to", "b")
    assert (done.returncode, done.stdout) == (1, "")
    b.signal(signal.SIGCONT)
    lan.until_led_by("a")


def test_025_transfer_goes_to_the_next_when_one_is_silent(lan: Lan, trio: Trio) -> None:
    """Without a name: the highest is stopped, so the next one gets it."""
    a, b, c = trio
    b.signal(signal.SIGSTOP)
    done = a.kingctl("step-down")
    assert (done.returncode, done.stdout) == (0, "c\n")
    lan.until_led_by("c", [a, c])
    b.signal(signal.SIGCONT)
    lan.until_led_by("b")


def test_survey_names_the_dead(trio: Trio) -> None:
    """Every member is asked live; one that was killed a moment ago is listed as not ok, and the rest agree."""
    a, b, c = trio
    done = b.kingctl("survey", "--json")
    view = json.loads(done.stdout)
    assert (done.returncode, view["agree"]) == (0, True)
    assert {(row["name"], row["leader"], row["ok"]) for row in view["nodes"]} == {(n, "a", True) for n in "abc"}
    assert len({row["term"] for row in view["nodes"]}) == 1
    c.kill()
    done = b.kingctl("survey", "--json")
    view = json.loads(done.stdout)
    assert (done.returncode, view["agree"]) == (0, True)
    assert {row["name"]: row["ok"] for row in view["nodes"]} == {"a": True, "b": True, "c": False}
    assert "1 did not answer" in done.stderr
    assert a.survey()["agree"]


def test_survey_of_views_that_differ(lan: Lan, trio: Trio) -> None:
    """c does not hear the leader, so it does not name it: exit 1."""
    a, b, c = trio
    lan.cut([a], [c])
    until(lambda: c.leader() is None)
    assert b.kingctl("survey").returncode == 1
    lan.heal()
    lan.until_led_by("a")
    assert b.kingctl("survey").returncode == 0


def test_exit_codes_of_kingctl(lan: Lan, trio: Trio) -> None:
    """is-leader, leader, wait and survey, as scripts rely on them."""
    a, b, c = trio
    assert [host.kingctl("is-leader").returncode for host in trio] == [0, 1, 1]
    for host in trio:
        done = host.kingctl("is-leader")
        assert (done.stdout, done.stderr) == ("", "")
        assert host.kingctl("leader").returncode == 0
        assert host.kingctl("survey").returncode == 0
    assert a.kingctl("wait", "--me").stdout == "a\n"
    assert b.kingctl("wait").stdout == "a\n"
    assert b.kingctl("wait", "--me", "--timeout", "300ms").returncode == 1
    assert b.kingctl("is-leader", "--nonsense").returncode == 2
    assert [b.kingctl("priority", "--", value).returncode for value in ("-1", "65536", "x")] == [2, 2, 2]
    c.kill()
    for verb in ("is-leader", "leader", "wait", "survey", "status", "members"):
        done = c.kingctl(verb)
        assert (done.returncode, done.stdout) == (3, "")
        assert "is not running" in done.stderr
    lan.pull(b)
    until(lambda: b.kingctl("is-leader").returncode == 4)
    assert b.kingctl("leader").returncode == 4
    b.signal(signal.SIGSTOP)
    assert b.kingctl("is-leader", "--timeout", "200ms").returncode == 4
    assert b.kingctl("leader", "--timeout", "200ms").returncode == 1
    b.signal(signal.SIGCONT)


def test_wait_for_leadership_ends_when_it_comes(lan: Lan, trio: Trio) -> None:
    """`kingctl wait --me` on the next in rank, while the leader is stopped."""
    a, b, _ = trio
    found: list[str] = []
    waiter = threading.Thread(target=lambda: found.append(b.kingctl("wait", "--me", "--timeout", "15s").stdout))
    waiter.start()
    assert a.stop() == 0
    waiter.join(15)
    assert found == ["b\n"]
    lan.until_led_by("b")


def test_watch_and_history_tell_the_same(lan: Lan, trio: Trio) -> None:
    """The present state first, then each change once and in order, with the numbers and the clock of the contract."""
    a, b, _ = trio
    watch = b.watch()
    first = watch.first
    assert (first["event"], first["role"], name_of(first["leader"])) == ("leader-changed", "follower", "a")
    a.kill()
    lan.until_led_by("b")
    until(lambda: any(event["event"] == "elected" for event in watch.events))
    history = b.events()
    assert [event for event in history if event["seq"] > first["seq"]] == watch.events
    assert [event["seq"] for event in history] == list(range(1, len(history) + 1))
    stamps = [event["monotonic_ns"] for event in history]
    assert stamps == sorted(stamps)
    elected = next(event for event in watch.events if event["event"] == "elected")
    assert elected["term"] > first["term"]
    assert name_of(elected["leader"]) == "b"


def test_reload_applies_what_works_live_and_names_the_rest(lan: Lan) -> None:
    """SIGHUP and `kingctl reload`: leadership is kept, priority works at once, a port needs a restart."""
    a = lan.host("a", config="priority = 30")
    b = lan.host("b", config="priority = 20")
    lan.start()
    lan.until_led_by("a")
    start_ns = time.monotonic_ns()
    a.config.write_text('priority = 25\n[log]\nlevel = "debug"\n[network]\nport = 5999\n', encoding="utf-8")
    done = a.kingctl("reload", "--json")
    answer = json.loads(done.stdout)
    assert done.returncode == 0
    assert sorted(answer["applied"]) == ["log.level", "priority"]
    assert answer["needs_restart"] == ["network.port"]
    until(lambda: b.members()["a"]["priority"] == 25, what=b.summary)
    assert not lan.changes(start_ns)
    b.config.write_text("priority = 40", encoding="utf-8")
    b.signal(signal.SIGHUP)
    lan.until_led_by("b")


def test_reload_of_a_bad_file_changes_nothing(lan: Lan) -> None:
    """It says which key of which file is wrong; the daemon leads on as before."""
    a = lan.host("a", config="priority = 30")
    lan.start()
    lan.until_led_by("a")
    start_ns = time.monotonic_ns()
    a.config.write_text("priority = 70000", encoding="utf-8")
    done = a.kingctl("reload")
    assert (done.returncode, done.stdout) == (78, "")
    for word in (str(a.config), "priority", "70000", "65535"):
        assert word in done.stderr
    a.signal(signal.SIGHUP)
    until(lambda: "nothing was changed" in a.log)
    assert a.status()["node"]["priority"] == 30
    assert not lan.changes(start_ns)


def test_bad_configuration_at_the_start_exits_78(lan: Lan) -> None:
    a = lan.host("a", config='heartbeat = "1s"\n[network]\nport = 0\n')
    a.start()
    assert a.exit_code() == 78
    for word in (str(a.config), "heartbeat", "network.port = 0"):
        assert word in a.log
