"""Quorum mode on real hosts: a majority of named voters or nobody. In every test an outsider asks all daemons all the
time, and what they said is judged: two leaders at one instant, or a term that goes back, fail it (tests/chaos/checker.py).
"""

import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager

import pytest

from tests.chaos.judged import judged as judged_by_an_outsider
from tests.lan.control import EventView
from tests.lan.host import LIMIT_S, Host, until
from tests.lan.network import Lan
from tests.lan.test_identity import FULL, READ_ONLY, copy_state
from tests.lan.test_stalls import ceiling, free_disk, set_priority, stall_disk

pytestmark = pytest.mark.lan
Trio = tuple[Host, Host, Host]

_LEASE_S = 1.0
_TOLD_LATE_NS = 1_000_000_000


def voters(*names: str) -> str:
    return f"[quorum]\nvoters = {list(names)}\n"


def judged(*hosts: Host) -> AbstractContextManager[None]:
    return judged_by_an_outsider(hosts, hosts[0].folder / "observed.jsonl")


@pytest.fixture
def trio(lan: Lan) -> Iterator[Trio]:
    """a, b and c vote; a leads."""
    a, b, c = lan.ranked(3, config=voters("a", "b", "c"))
    with judged(a, b, c):
        lan.start()
        lan.until_led_by("a")
        yield a, b, c


def last(host: Host, kind: str) -> EventView:
    return [change for change in host.changes() if change["event"] == kind][-1]


def was_told_in_turn(former: Host, leader: Host) -> None:
    """Who leads at one instant is judged by the answers (`judged`), which are right whenever they are given. An event is told
    when its process runs: on a busy host the end of one lease may be told a moment after the beginning of the next."""
    late_ns = last(former, "deposed")["monotonic_ns"] - last(leader, "elected")["monotonic_ns"]
    assert late_ns < _TOLD_LATE_NS


def falls_silent(host: Host) -> None:
    """It says of itself that it cannot know, and why."""
    until(lambda: host.leader() is None, what=host.summary)
    assert host.kingctl("is-leader").returncode == 4
    assert host.kingctl("leader").stdout == ""
    until(lambda: host.kingctl("leader").returncode == 4, what=host.summary)


def test_016_quorum_lost(lan: Lan, trio: Trio) -> None:
    """The leader is cut off: it falls silent by itself before the others have another leader; healed, it leads again."""
    a, b, c = trio
    before = a.status()["term"]
    lan.split([a], [b, c])
    assert lan.until_led_by("b", [b, c]) > before
    falls_silent(a)
    assert last(a, "deposed")["reason"] == "quorum-lost"
    was_told_in_turn(a, b)
    alone = {"voters": ["a", "b", "c"], "missing": ["b", "c"], "reachable": 1, "ok": False}
    until(lambda: a.status()["quorum"] == alone, what=a.summary)
    lan.steady(2)
    lan.heal()
    assert lan.until_led_by("a") > b.status()["term"] - 1 > before
    assert a.status()["quorum"]["ok"]
    lan.steady(1)


def test_016_minority_falls_silent(lan: Lan) -> None:
    """Five hosts, three of them vote. The part with one voter has the most hosts, and no leader: is-leader exits 4."""
    a, b, c, d, e = hosts = lan.ranked(5, config=voters("a", "b", "c"))
    with judged(*hosts):
        lan.start()
        lan.until_led_by("a")
        lan.split([a, d, e], [b, c])
        lan.until_led_by("b", [b, c])
        for host in (a, d, e):
            falls_silent(host)
        lan.steady(2)
        lan.heal()
        lan.until_led_by("a")


def test_016_nobody_has_a_majority(lan: Lan, trio: Trio) -> None:
    """Three parts of one: nobody leads, whatever its priority, until two voters meet."""
    a, b, c = trio
    for host in trio:
        lan.split([host], [other for other in trio if other is not host])
    for host in trio:
        falls_silent(host)
    lan.steady(3)
    lan.heal()
    lan.split([a], [b, c])
    lan.until_led_by("b", [b, c])
    falls_silent(a)


def test_023_transfer_to_up_to_date(lan: Lan, trio: Trio) -> None:
    """Planned: at once, for the promises are released by the ticket; there and back again, with a higher term each time."""
    a, b, c = trio
    before = lan.until_led_by("a")
    assert a.kingctl("step-down", "--to", "c", "--for", "3s").stdout == "c\n"
    given = lan.until_led_by("c")
    assert last(a, "deposed")["monotonic_ns"] < last(c, "elected")["monotonic_ns"]
    assert c.kingctl("step-down", "--to", "a", "--for", "3s").returncode == 1  # it stepped down itself
    assert c.kingctl("step-down", "--to", "b", "--for", "3s").stdout == "b\n"
    again = lan.until_led_by("b")
    assert again > given > before
    lan.until_led_by("a")
    assert a.stop() == 0
    assert lan.until_led_by("b", [b, c]) > again + 1


def test_027_transfer_timeout(lan: Lan, trio: Trio) -> None:
    """The successor does not answer: the leader stays, under the ballot that it has."""
    a, b, _ = trio
    before = a.status()["term"]
    b.signal(signal.SIGSTOP)
    done = a.kingctl("step-down", "--to", "b")
    assert (done.returncode, done.stdout) == (1, "")
    b.signal(signal.SIGCONT)
    lan.until_led_by("a")
    assert a.told()[-1].startswith("elected")
    assert a.status()["term"] == before


def test_027_successor_dies_with_the_ticket(lan: Lan, trio: Trio) -> None:
    """Killed in the moment in which it gets leadership: the others go on among themselves when its promise is over."""
    a, b, c = trio
    before = a.status()["term"]
    set_priority(b, 40)
    until(lambda: a.role() != "leader", what=a.summary)
    b.kill()
    assert lan.until_led_by("a", [a, c]) > before


def test_068_leader_deaf(lan: Lan, trio: Trio) -> None:
    """Nothing reaches a, and what it says reaches all: its lease ends, for nobody's promise to it is proven."""
    a, b, c = trio
    lan.cut([b, c], [a])
    lan.until_led_by("b", [b, c])
    falls_silent(a)
    was_told_in_turn(a, b)
    lan.steady(3)
    lan.heal()
    lan.until_led_by("a")


def test_068_leader_mute(lan: Lan, trio: Trio) -> None:
    a, b, c = trio
    lan.cut([a], [b, c])
    lan.until_led_by("b", [b, c])
    until(lambda: a.role() != "leader", what=a.summary)
    was_told_in_turn(a, b)
    lan.heal()
    lan.until_led_by("a")


def test_066_leader_stopped_for_longer_than_its_lease(lan: Lan, trio: Trio) -> None:
    """SIGSTOP for 3 s: the clock of the lease goes on, so that from its first answer on it does not lead."""
    a, b, c = trio
    a.signal(signal.SIGSTOP)
    lan.until_led_by("b", [b, c])
    time.sleep(2)
    a.signal(signal.SIGCONT)
    lan.until_led_by("a")


@pytest.mark.parametrize("verb", [["is-leader", "-v"], ["leader"], ["wait", "--me"]])
def test_kingctl_with_an_answer_of_another_time(lan: Lan, trio: Trio, verb: list[str]) -> None:
    """It was told that this host leads, and comes to say so when another one does."""
    a, b, c = trio
    child, unread = a.kingctl_that_cannot_write(*verb)
    a.signal(signal.SIGSTOP)
    lan.until_led_by("b", [b, c])
    with os.fdopen(unread, "rb") as reader:
        said = reader.read()
    assert (child.wait(LIMIT_S), b"not known: the answer was good for" in said) == (4, True)
    a.signal(signal.SIGCONT)
    lan.until_led_by("a")


def test_075_sigkill_at_the_end_of_the_promise_and_not_before(lan: Lan, trio: Trio) -> None:
    """All can see that the leader's process is gone, and wait nevertheless: its last promise runs for a lease and more,
    from its last heartbeat on."""
    a, b, c = trio
    killed_ns = time.monotonic_ns()
    a.kill()
    lan.until_led_by("b")
    assert last(b, "elected")["monotonic_ns"] - killed_ns > _LEASE_S / 2 * 1e9
    c.kill()
    falls_silent(b)


def test_084_restart_inside_the_promise(lan: Lan, trio: Trio) -> None:
    """The leader is cut off, and in that moment both other voters crash and start again: they have promised to it, and
    they wait for that to be over although they have forgotten to whom."""
    a, b, c = trio
    lan.split([a], [b, c])
    for host in (b, c):
        host.restart()
    lan.until_led_by("b", [b, c])
    was_told_in_turn(a, b)
    falls_silent(a)


def test_084_all_start_again(lan: Lan, trio: Trio) -> None:
    """Everybody at once, with and without a word: a term above all that were led."""
    before = lan.until_led_by("a")
    for host in trio:
        host.restart()
    after = lan.until_led_by("a")
    assert after > before
    for host in trio:
        host.signal(signal.SIGTERM)
    assert [host.exit_code() for host in trio] == [0, 0, 0]
    lan.start()
    assert lan.until_led_by("a") > after


def test_084_voter_that_lost_its_state_is_mended_by_the_others(lan: Lan, trio: Trio) -> None:
    """One at a time, all three: each is a voter again, and the terms go on."""
    term = lan.until_led_by("a")
    for host in trio:
        host.kill()
        shutil.rmtree(host.state_folder)
        host.start()
        lan.until_complete()
        lan.until_led_by("a")
        until(lambda host=host: ceiling(host) > 0)  # type: ignore[misc] # mypy infers no lambda with a default
    assert lan.until_led_by("a") > term
    assert not any(host.problems() for host in trio)
    lan.power_off(trio[0])
    lan.until_led_by("b", trio[1:])


def highest_led(host: Host) -> int:
    """The highest term that it was told somebody leads in."""
    return max(change["term"] for change in host.changes() if change["leader"] is not None)


def leads_soon(host: Host) -> bool:
    deadline = time.monotonic() + 4
    while time.monotonic() < deadline and host.role() != "leader":
        time.sleep(0.02)
    return host.role() == "leader"


def test_085_disk_stall(lan: Lan, trio: Trio) -> None:
    """The disks of two voters hang. Nothing waits for them while a leads; and however often it starts again, nobody leads
    in a term that is on no disk of a majority. When one of the disks is free, somebody does."""
    a, b, c = trio
    stall_disk(b)
    stall_disk(c)
    limit = max(ceiling(b), ceiling(c))
    lan.steady(2)
    for _ in range(10):
        a.restart()
        if not leads_soon(a):
            break
    assert max(highest_led(b), highest_led(c)) <= limit
    free_disk(b)
    lan.until_led_by("a")
    free_disk(c)
    lan.until_led_by("a")


@pytest.mark.parametrize("mount", [READ_ONLY, FULL], ids=["read-only", "full"])
def test_086_disk_full_or_ro(lan: Lan, mount: str) -> None:
    """A voter that cannot write down what it promises has no vote, and says so."""
    a, b, c = lan.ranked(3, config=voters("a", "b", "c"))
    a.state_folder.mkdir()
    a.wrapper = ["unshare", "--mount", "sh", "-c", mount, str(a.state_folder)]
    with judged(a, b, c):
        lan.start()
        lan.until_led_by("b")
        assert a.status()["node"]["ineligible_reason"] == "state-not-writable"
        c.kill()
        falls_silent(b)
        c.start()
        lan.until_led_by("b")


def namesake(lan: Lan, host: Host, *, priority: int) -> Host:
    """Another host of that name, with the same voters. Not started yet."""
    other = lan.host(f"other-{host.name}", priority=priority, config=voters("a", "b", "c"))
    other.name = host.name
    return other


def test_087_clone_of_a_voter(lan: Lan, trio: Trio) -> None:
    """A copy of b's state folder: the copy stays out, says why, and votes for nobody; b is a voter as before."""
    a, b, c = trio
    copy = namesake(lan, b, priority=99)
    copy_state(b.state_folder, copy.state_folder)
    copy.start()
    until(lambda: (status := copy.status_or_none()) and status["node"]["ineligible_reason"] == "duplicate-id")
    lan.steady(2, trio)
    c.kill()
    lan.steady(2, [a, b])
    b.kill()
    falls_silent(a)


def test_087_two_hosts_with_the_name_of_one_voter(lan: Lan, trio: Trio) -> None:
    """Each with a state of its own: neither of them counts, and a says so; with one of them gone the other one does."""
    a, b, c = trio
    other = namesake(lan, b, priority=5)
    other.start()
    until(lambda: "two hosts are called b" in a.problems(), what=a.summary)
    lan.until_led_by("a", trio)
    c.kill()
    falls_silent(a)
    assert other.stop() == 0
    lan.until_led_by("a", [a, b])


def test_two_voters(lan: Lan) -> None:
    """Either is missing, and nobody leads."""
    a, b, c = lan.ranked(3, config=voters("a", "b"))
    with judged(a, b, c):
        lan.start()
        lan.until_led_by("a")
        b.kill()
        falls_silent(a)
        b.start()
        lan.until_led_by("a")
        lan.power_off(a)
        falls_silent(b)
        falls_silent(c)


def test_036_voter_of_priority_0_votes_and_never_leads(lan: Lan) -> None:
    hosts = [
        lan.host(name, priority=priority, config=voters("a", "b", "c"))
        for name, priority in zip("abc", (20, 10, 0), strict=True)
    ]
    a, b, c = hosts
    with judged(*hosts):
        lan.start()
        lan.until_led_by("a")
        a.kill()
        lan.until_led_by("b")
        a.start()
        lan.until_led_by("a")
        lan.split([a], [b])
        lan.steady(2, [a, c])
        b.kill()
        a.kill()
        falls_silent(c)


def test_020_host_that_does_not_vote_may_lead(lan: Lan) -> None:
    """d leads with the votes of others, and not with those of the hosts that are not listed."""
    d, a, b, c, e = hosts = [
        lan.host(name, priority=priority, config=voters("a", "b", "c"))
        for name, priority in zip("dabce", (50, 40, 30, 20, 10), strict=True)
    ]
    with judged(*hosts):
        lan.start()
        lan.until_led_by("d")
        lan.split([d, e, a], [b, c])
        lan.until_led_by("b", [b, c])
        falls_silent(d)
        lan.heal()
        lan.until_led_by("d")
        d.kill()
        lan.until_led_by("a")


def wants(host: Host, *names: str) -> None:
    """The list is written into its configuration, and read again."""
    path = host.folder / "kingd.toml"
    text = path.read_text()
    before = text[text.index("voters = ") :].partition("\n")[0]
    path.write_text(text.replace(before, f"voters = {list(names)}"))
    done = host.kingctl("reload")
    assert done.returncode == 0, done.stderr


def in_force(hosts: Trio) -> list[list[str]]:
    return [host.status()["quorum"]["voters"] for host in hosts]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0)])
def test_088_list_changes_and_changes_back(lan: Lan, trio: Trio, order: tuple[int, ...]) -> None:
    """A host is replaced: its name is removed, and added again. One host after the other, and a leads all the time."""
    changes = a_changes(trio)
    for names in (("a", "b"), ("a", "b", "c"), ("a", "b")):
        for number in order:
            wants(trio[number], *names)
        until(lambda names=names: in_force(trio) == [list(names)] * 3, what=trio[0].summary)  # type: ignore[misc] # a default binds it
    lan.until_led_by("a", trio)
    assert a_changes(trio) == changes


def a_changes(hosts: Trio) -> int:
    return len([change for change in hosts[0].changes() if change["event"] in ("elected", "deposed")])


def test_088_mistyped_list_changes_nothing_and_is_taken_back(lan: Lan, trio: Trio) -> None:
    a, b, c = trio
    wants(b, "a", "b", "c", "d")
    lan.steady(2)
    assert in_force(trio) == [["a", "b", "c"]] * 3
    assert any("not in force yet" in problem for problem in b.status()["problems"])
    wants(b, "a", "b", "c")
    assert not any("not in force yet" in problem for problem in b.status()["problems"])
    lan.until_led_by("a", [a, b, c])


def test_088_list_that_only_one_host_wants_survives_no_restart_of_it(lan: Lan, trio: Trio) -> None:
    """It begins with the list that was in force, and not with the one in its file."""
    _, b, _ = trio
    wants(b, "a", "b")
    b.kill()
    b.start()
    lan.until_led_by("a")
    assert in_force(trio) == [["a", "b", "c"]] * 3
