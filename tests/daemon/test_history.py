"""What two real daemons tell of the past, and what they have to show for it."""

import signal

from kingd.control.answer import number, rows, section, text
from tests.cli.raw_client import eventually
from tests.daemon.running import Daemon


def kinds(member: dict[str, object]) -> dict[str, dict[str, object]]:
    """By kind: the first event that names box1 as the leader, or nobody."""
    found: dict[str, dict[str, object]] = {}
    for event in rows(member, "events"):
        found.setdefault(text(event, "event"), event)
    return found


def test_histories_of_both_are_told_by_either(pair: Daemon) -> None:
    here, there = rows(pair.ask("Histories"), "members")
    assert (here["name"], here["ok"], there["name"], there["ok"]) == ("box2", True, "box1", True)
    assert kinds(here)["leader-changed"]["leader"] == "box1"
    elected = kinds(there)["elected"]
    assert (elected["leader"], section(elected, "evidence")["words"]) == ("box1", "no peer is there to agree")
    assert rows(there, "events")[0]["event"] == "started"
    own = rows(pair.ask("History"), "events")
    assert [event["seq"] for event in rows(here, "events")] == [event["seq"] for event in own]


def test_death_of_the_leader_comes_with_evidence(daemons: list[Daemon], pair: Daemon) -> None:
    daemons[0].signal(signal.SIGKILL)
    pair.until_leader("box2")
    found = {text(event, "event"): event for event in rows(pair.ask("History"), "events")}
    assert section(found["leader-lost"], "evidence")["sign"] == "obituary"
    assert found["elected"]["repeat"] == 1
    assert text(section(found["elected"], "evidence"), "words").startswith("last heard ")


HELD_UP = """
import sys, time
from kingd.core.wire.message import Resign
from kingd.daemon.traffic import Traffic

sends = Traffic.sends

def held_up(self, body, to):
    if isinstance(body, Resign) and to is None:
        time.sleep(1)
    sends(self, body, to)

Traffic.sends = held_up
from kingd.daemon.main import main
main(sys.argv[1:])
"""


def test_change_has_the_time_of_the_decision_however_late_it_is_told(daemons: list[Daemon]) -> None:
    """The ticket goes out, and then this process does not run: the successor leads already when it goes on."""
    first, second = daemons
    first.options = ("--priority", "200")
    first.spawn("-c", HELD_UP)
    second.start()
    second.until_leader("box1")
    eventually(lambda: [row["leader"] for row in rows(first.ask("Survey"), "nodes")] == ["box1", "box1"])
    first.ask("StepDown", for_ms=60_000)
    taken = second.until_leader("box2")
    given = {text(event, "event"): event for event in rows(first.ask("History"), "events")}["deposed"]
    assert number(given, "monotonic_ns") < number(taken, "monotonic_ns")
