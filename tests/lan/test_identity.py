"""Who is who: clusters side by side, copied and lost state folders, daemons that would share what belongs to one."""

import json
import shutil
import time
from pathlib import Path

import pytest

from tests.lan.host import Host, until
from tests.lan.network import Lan

pytestmark = pytest.mark.lan
Trio = tuple[Host, Host, Host]


def node_id(host: Host) -> str:
    return host.status()["node"]["id"]


def test_047_labels_two_clusters_on_one_lan(lan: Lan) -> None:
    """Each has its own leader and members, and lists the others as strangers of another cluster."""
    clusters = {
        cluster: [lan.host(f"{cluster}{number}", priority=number, config=f'cluster = "{cluster}"') for number in (2, 1)]
        for cluster in ("red", "blue")
    }
    for host in lan.hosts:
        host.start()
    for cluster, hosts in clusters.items():
        lan.until_led_by(f"{cluster}2", hosts)
        lan.until_complete(hosts)
    for cluster, hosts in clusters.items():
        others = {host.address for name, found in clusters.items() if name != cluster for host in found}
        for host in hosts:
            status = host.status()
            assert {stranger["why"] for stranger in status["strangers"]} == {"other-cluster"}
            assert {stranger["address"].split(":")[0] for stranger in status["strangers"]} & others
            assert status["rejected"]["other-cluster"] > 0
            assert "another cluster" in host.log
    clusters["red"][0].kill()
    lan.until_led_by("red1", clusters["red"][1:])
    lan.until_led_by("blue2", clusters["blue"])


def clone(original: Host, lan: Lan, name: str, *, priority: int) -> Host:
    copy = lan.host(name, priority=priority)
    copy_state(original.state_folder, copy.state_folder)
    return copy


def copy_state(source: Path, target: Path) -> None:
    """Of a daemon that may run, and be writing a new one."""
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("*.new"))


def test_087_clone_vm(lan: Lan, trio: Trio) -> None:
    """Copies of the leader and of a follower come up with the highest priority: they may not lead, and say why; nobody
    is disturbed. Once the original is gone, a copy is a host like any other."""
    a, b, c = trio
    copies = [clone(a, lan, "copy-of-a", priority=99), clone(b, lan, "copy-of-b", priority=98)]
    start_ns = time.monotonic_ns()
    for copy in copies:
        copy.start()
    until(lambda: all(copy.status_or_none() for copy in copies))
    until(lambda: {copy.status()["node"]["ineligible_reason"] for copy in copies} == {"duplicate-id"})
    for copy in copies:
        status = copy.status()
        assert (status["node"]["eligible"], status["node"]["role"], status["leader"]) == (False, "joining", None)
        assert "a copied state folder" in copy.problems()
        assert copy.kingctl("is-leader").returncode == 4
    lan.steady(5, trio)
    lan.until_led_by("a", trio)
    assert not lan.changes(start_ns, trio)
    assert [a.stop(), b.stop()] == [0, 0]
    lan.until_led_by("copy-of-a", [c, *copies])
    assert all(copy.status()["node"]["eligible"] for copy in copies)


def test_043_address_conflict_two_clones_start_together(lan: Lan) -> None:
    """Neither is established: one of them keeps the id, the other one says that it is taken."""
    a, b = lan.ranked(2)
    lan.start(a, b)
    lan.until_led_by("a")
    for host in (a, b):
        assert host.stop() == 0
    copy = clone(a, lan, "copy", priority=20)
    for host in (a, b, copy):
        host.start()

    def one_is_out() -> bool:
        statuses = [host.status_or_none() for host in (a, copy)]
        return sorted(status["node"]["eligible"] for status in statuses if status is not None) == [False, True]

    until(one_is_out, what=lambda: f"{a.summary()}\n{copy.summary()}")
    winner = next(host for host in (a, copy) if host.status()["node"]["eligible"])
    lan.until_led_by(winner.name, [winner, b])
    lan.steady(5, [winner, b])
    assert one_is_out()


def test_053_snapshot_restore_state_lost(lan: Lan, trio: Trio) -> None:
    """A host without its state is a new host: it takes a new id, and may lead."""
    a, _, _ = trio
    before = node_id(a)
    a.kill()
    lan.until_led_by("b")
    shutil.rmtree(a.state_folder)
    a.start()
    lan.until_led_by("a")
    assert node_id(a) != before
    lan.steady(1)


def test_053_snapshot_restore_state_corrupt(lan: Lan, trio: Trio) -> None:
    """A state file that is damaged is put aside, said so, and not believed."""
    _, b, _ = trio
    before = node_id(b)
    b.kill()
    file = b.state_folder / "state.json"
    file.write_bytes(file.read_bytes().replace(b'"ceiling": ', b'"ceiling": 1'))
    b.start()
    until(lambda: b.leader() == "a", what=b.summary)
    assert node_id(b) != before
    assert "is damaged" in b.log
    assert list(b.state_folder.glob("state.json.corrupt-*"))


def test_053_snapshot_restore_state_rolled_back(lan: Lan, trio: Trio) -> None:
    """A state folder from a backup, with a lower ceiling, under the same id: the term still only rises."""
    a, b, c = trio
    a.kill()
    before = lan.until_led_by("b")
    copy_state(b.state_folder, lan.folder / "backup")
    for _ in range(3):
        b.restart()
        until(lambda: b.status_or_none() is not None)
        before = max(before, lan.until_led_by("b"))
    assert b.stop() == 0
    before = lan.until_led_by("c")
    shutil.rmtree(b.state_folder)
    copy_state(lan.folder / "backup", b.state_folder)
    b.start()
    assert lan.until_led_by("b") > before
    assert c.leader() == "b"


READ_ONLY = 'mount --types tmpfs --options ro,size=64k kingd "$0" && exec "$@"'
FULL = 'mount --types tmpfs --options size=4k kingd "$0" && echo x >"$0/x" && exec "$@"'


@pytest.mark.parametrize("mount", [READ_ONLY, FULL], ids=["read-only", "full"])
def test_086_disk_full_or_ro(lan: Lan, mount: str) -> None:
    """A host that cannot write its state follows, and does not lead, and says so; the rest is as ever."""
    a, b, c = lan.ranked(3)
    a.state_folder.mkdir()
    a.wrapper = ["unshare", "--mount", "sh", "-c", mount, str(a.state_folder)]
    lan.start()
    lan.until_led_by("b")
    status = a.status()
    assert (status["node"]["role"], status["node"]["ineligible_reason"]) == ("follower", "state-not-writable")
    assert "cannot be written" in a.log
    lan.steady(1)
    b.kill()
    lan.until_led_by("c", [a, c])


def test_second_daemon_on_the_same_socket_or_state_is_refused(lan: Lan, trio: Trio) -> None:
    """It exits with a sentence that names what is taken; the first does not notice."""
    a, _, _ = trio
    start_ns = time.monotonic_ns()
    for name, flags, taken in (
        ("socket", [f"--socket={a.socket}"], str(a.socket)),
        ("state", [f"--state-dir={a.state_folder}"], str(a.state_folder)),
    ):
        second = lan.host(name, beside=a)
        second.start(*flags)
        assert second.exit_code() not in (0, 1, 255)
        assert taken in second.log
        assert "another" in second.log
    assert a.kingctl("leader").stdout == "a\n"
    assert not lan.changes(start_ns)


def test_socket_that_a_killed_daemon_left_is_no_obstacle(lan: Lan) -> None:
    a = lan.host("a")
    lan.start()
    a.kill()
    assert a.socket.exists()
    a.start()
    lan.until_led_by("a")


def test_two_hosts_of_one_name(lan: Lan) -> None:
    """Names are for people: two hosts that have the same one are two members, and one of them leads."""
    hosts = [lan.host(name, config='name = "box"', priority=10) for name in ("one", "two", "three")]
    for host in hosts:
        host.name = "box"
    for host in hosts:
        host.start()
    lan.until_complete()
    until(lambda: len({json.dumps(host.status()["leader"]) for host in hosts if host.leader()}) == 1)
    assert sorted(str(host.role()) for host in hosts) == ["follower", "follower", "leader"]
    until(lambda: all("3 hosts are called box" in host.problems() for host in hosts))
    leader = next(host for host in hosts if host.role() == "leader")
    refused = leader.kingctl("step-down", "--to", "box")
    assert (refused.returncode, refused.stdout) == (1, "")
    chosen = str(next(host for host in hosts if host is not leader).status()["node"]["id"])
    assert chosen in refused.stderr
    assert leader.kingctl("step-down", "--to", chosen).returncode == 0
    until(lambda: all(chosen in json.dumps(host.status()["leader"]) for host in hosts))
