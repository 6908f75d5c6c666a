"""The elections whose traces are kept in this folder: each a set-up in words (its docstring), and what is done to it."""

from collections.abc import Callable
from functools import partial

from kingd.core.election import Core
from kingd.core.timing import SECOND
from tests.golden.recorder import Recorder
from tests.scenarios.world import cold, settled

VOTERS = ("box1", "box2", "box3")
Story = Callable[[], Recorder]


def cold_start() -> Recorder:
    """Three hosts start together and know nothing of each other.
    box1 has priority 30, box2 20, box3 10: box1 has to lead."""
    cluster = cold(30, 20, 10)
    recorder = Recorder(cluster)
    recorder.does("all three start", cluster.start_all)
    recorder.agree("box1")
    return recorder


def failover() -> Recorder:
    """box1 leads three, and its process is killed (SIGKILL). Its guardian lives and sends the obituary,
    so that nobody has to wait for the leader timeout."""
    cluster = settled(30, 20, 10)
    recorder = Recorder(cluster)
    recorder.does("box1 is killed", lambda: cluster.kill(cluster.hosts[0]))
    recorder.agree("box2")
    return recorder


def power_cut() -> Recorder:
    """box1 leads three, and its host loses power: nobody says a word, and the leader timeout finds it out."""
    cluster = settled(30, 20, 10)
    recorder = Recorder(cluster)
    recorder.does("box1 loses power", lambda: cluster.crash(cluster.hosts[0]))
    recorder.agree("box2")
    return recorder


def planned_stop() -> Recorder:
    """box1 leads three and is stopped. It gives its leadership away with a ticket, and ends."""
    cluster = settled(30, 20, 10)
    recorder = Recorder(cluster)
    recorder.does("box1 is stopped", lambda: cluster.stop(cluster.hosts[0]))
    recorder.agree("box2")
    return recorder


def step_down() -> Recorder:
    """box1 leads three. `kingctl step-down --to box3 --for 2s`: box3 leads although box2 outranks it,
    and box1 leads again when its time away is over."""
    cluster = settled(30, 20, 10)
    box1 = cluster.hosts[0]
    recorder = Recorder(cluster)
    asked = partial(Core.step_down, to="box3", for_us=2 * SECOND, now_us=cluster.local_us(box1))
    recorder.does("box1 is asked to step down to box3", lambda: cluster.enter(box1, asked))
    recorder.agree("box3")
    recorder.agree("box1")
    return recorder


def preemption() -> Recorder:
    """box1 leads three, and box3 gets the highest priority."""
    cluster = settled(30, 20, 10)
    recorder = Recorder(cluster)
    recorder.does("box3 gets priority 50", lambda: cluster.set_priority(cluster.hosts[2], 50))
    recorder.agree("box3")
    return recorder


def split_and_heal() -> Recorder:
    """Availability mode: box1 leads four, and the network is split into box1 box2 | box3 box4.
    Each side has its leader; when the network is whole again, one of the two leads all."""
    cluster = settled(40, 30, 20, 10)
    one, other = cluster.hosts[:2], cluster.hosts[2:]
    recorder = Recorder(cluster)
    recorder.does("split: box1 box2 | box3 box4", lambda: cluster.partition(one, other))
    recorder.until(lambda: cluster.agreed(other) == "box3", within_ms=5_000, settles_ms=500)
    recorder.does("the network is whole", cluster.network.heal)
    recorder.agree("box1", settles_ms=500)
    return recorder


def quorum_first_start() -> Recorder:
    """Quorum mode, voters box1 box2 box3: the first start of a cluster, box3 is not there yet.
    Each voter waits for as long as a promise lasts before it gives one, for it may have forgotten one."""
    cluster = cold(30, 20, 10, voters=VOTERS)
    recorder = Recorder(cluster)
    for host in cluster.hosts[:2]:
        recorder.does(f"{host.name} starts", partial(cluster.start, host))
    recorder.agree("box1")
    return recorder


def quorum_cable_pulled() -> Recorder:
    """Quorum mode, voters box1 box2 box3: box1 leads, and its cable is pulled.
    It stops saying that it leads before its lease ends; the others elect when their promises have ended."""
    cluster = settled(30, 20, 10, voters=VOTERS)
    recorder = Recorder(cluster)
    recorder.does("box1's cable is pulled", lambda: cluster.unplug(cluster.hosts[0]))
    recorder.until(lambda: cluster.agreed(cluster.hosts[1:]) == "box2", within_ms=5_000, settles_ms=20)
    return recorder


def quorum_minority() -> Recorder:
    """Quorum mode, voters box1 box2 box3: box3 is cut off for five seconds. It claims once, in vain; then it has
    found out that it hears no majority, and claims nothing. When it is back, it follows under the same term."""
    cluster = settled(30, 20, 10, voters=VOTERS)
    recorder = Recorder(cluster)
    recorder.does("split: box1 box2 | box3", lambda: cluster.partition(cluster.hosts[:2], cluster.hosts[2:]))
    recorder.run(5_000)
    recorder.does("the network is whole", cluster.network.heal)
    recorder.agree("box1")
    return recorder


def quorum_voters_change() -> Recorder:
    """Quorum mode: the list of voters grows from box1 box2 box3 to box1 box2 box3 box4, one reload after the other.
    It comes into force by itself, and leadership stays where it is."""
    cluster = settled(40, 30, 20, 10, voters=VOTERS)
    recorder = Recorder(cluster)
    for host in cluster.hosts:
        recorder.does(f"{host.name} is to have box4 as a voter", partial(cluster.set_voters, host, (*VOTERS, "box4")))
        recorder.run(1_000)
    assert all(host.voters is not None and host.voters.names == (*VOTERS, "box4") for host in cluster.hosts)
    assert cluster.agreed() == "box1"
    return recorder


def drain() -> Recorder:
    """box1 leads three, and units run on it because it leads. It is asked to step down: the units end first,
    which takes 300 ms here, and it leads until then."""
    cluster = settled(30, 20, 10)
    box1 = cluster.hosts[0]

    def enter(entry: Callable[..., object]) -> None:
        cluster.enter(box1, partial(entry, now_us=cluster.local_us(box1)))  # type: ignore[arg-type] # each returns effects

    enter(partial(Core.set_drains, on=True))
    recorder = Recorder(cluster)
    recorder.does("box1 is asked to step down", lambda: enter(partial(Core.step_down, to=None, for_us=60 * SECOND)))
    recorder.run(300)
    recorder.does("its units have ended", lambda: enter(Core.drained))
    recorder.agree("box2")
    return recorder


def leader_restart() -> Recorder:
    """box1 leads three, its process is killed (SIGKILL), and systemd starts it again 100 ms later.
    box2 leads by then; box1 outranks it and is given the leadership back."""
    cluster = settled(30, 20, 10)
    box1 = cluster.hosts[0]
    recorder = Recorder(cluster)
    recorder.does("box1 is killed", lambda: cluster.kill(box1))
    recorder.run(100)
    recorder.does("box1 starts", lambda: cluster.start(box1))
    recorder.agree("box1")
    return recorder


def namesake() -> Recorder:
    """box1 leads box2. box3 was cloned from box1 with its state folder: it has the same identity, so that what
    box1 and box3 say looks alike. box3 finds box1 there and may not lead; nobody else is disturbed."""
    cluster = cold(30, 20, 10)
    cluster.hosts[2].node_id = cluster.hosts[0].node_id
    for host in cluster.hosts[:2]:
        cluster.start(host)
    assert cluster.run_until(lambda: cluster.agreed() == "box1", 5 * SECOND)
    cluster.run(3 * SECOND)
    recorder = Recorder(cluster)
    recorder.does("box3 starts", lambda: cluster.start(cluster.hosts[2]))
    recorder.run(2_000)
    return recorder


def late_joiner() -> Recorder:
    """box1 leads box2, and box3 starts, which nobody knows. It asks who they are, hears who leads, and follows."""
    cluster = cold(30, 20, 10)
    for host in cluster.hosts[:2]:
        cluster.start(host)
    assert cluster.run_until(lambda: cluster.agreed() == "box1", 5 * SECOND)
    cluster.run(3 * SECOND)
    recorder = Recorder(cluster)
    recorder.does("box3 starts", lambda: cluster.start(cluster.hosts[2]))
    recorder.agree("box1")
    return recorder


def obituary_refuted() -> Recorder:
    """box1 leads three. Its obituary is sent although it lives, and the others believe it at once: box2 leads.
    Then it hears box1: the overlap ends within milliseconds, and box1 leads on under a higher term."""
    cluster = settled(30, 20, 10)
    recorder = Recorder(cluster)
    recorder.does("box1's obituary is sent, and box1 lives", lambda: cluster.execute_will(cluster.hosts[0]))
    recorder.run(500)
    assert cluster.agreed() == "box1"
    return recorder


STORIES: dict[str, Story] = {
    story.__name__: story
    for story in (
        cold_start,
        failover,
        power_cut,
        planned_stop,
        step_down,
        preemption,
        split_and_heal,
        quorum_first_start,
        quorum_cable_pulled,
        quorum_minority,
        quorum_voters_change,
        drain,
        leader_restart,
        namesake,
        late_joiner,
        obituary_refuted,
    )
}
