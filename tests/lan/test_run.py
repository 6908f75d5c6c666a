"""kingctl run on real daemons. The numbers are those of the table in docs/run.md; 1,000 faults: tests/lan/run_faults.py."""

import os
import signal
import time
from collections.abc import Callable, Iterator

import pytest

from tests.cli.runs import Run, Witness, lives, until
from tests.lan.host import Host
from tests.lan.network import Lan
from tests.lan.run_faults import judge, scene

pytestmark = [pytest.mark.lan, pytest.mark.timeout(600)]
Trio = tuple[Host, Host, Host]
Fault = Callable[[Lan, Trio, Run], None]


@pytest.fixture
def voters(lan: Lan) -> Trio:
    """a, b and c vote; a leads."""
    a, b, c = lan.ranked(3, config='[quorum]\nvoters = ["a", "b", "c"]\n')
    lan.start()
    lan.until_led_by("a")
    return a, b, c


@pytest.fixture
def witness(lan: Lan) -> Witness:
    return Witness(lan.folder / "record")


@pytest.fixture
def run(voters: Trio, witness: Witness) -> Iterator[Run]:
    """On a: it does not end on SIGTERM, and has left two processes behind."""
    run = Run("--socket", str(voters[0].socket), "--", *witness.argv(heirs=2))
    witness.until_alive(3)
    yield run
    run.close()


def led_since_ns(host: Host) -> int:
    """By CLOCK_BOOTTIME, as the witness notes its times."""
    elected = [change for change in host.changes() if change["event"] == "elected"][-1]
    suspended_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    return elected["monotonic_ns"] + suspended_ns


def cut(lan: Lan, voters: Trio, run: Run) -> None:
    lan.split([voters[0]], list(voters[1:]))


def stop(lan: Lan, voters: Trio, run: Run) -> None:
    voters[0].signal(signal.SIGSTOP)


def kill(lan: Lan, voters: Trio, run: Run) -> None:
    voters[0].kill()


def restart(lan: Lan, voters: Trio, run: Run) -> None:
    voters[0].restart()


def front_killed(lan: Lan, voters: Trio, run: Run) -> None:
    run.signal(signal.SIGKILL)
    cut(lan, voters, run)


def front_stopped(lan: Lan, voters: Trio, run: Run) -> None:
    run.signal(signal.SIGSTOP)
    cut(lan, voters, run)


def keeper_stopped(lan: Lan, voters: Trio, run: Run) -> None:
    os.kill(run.keeper, signal.SIGSTOP)
    cut(lan, voters, run)


def keeper_killed(lan: Lan, voters: Trio, run: Run) -> None:
    os.kill(run.keeper, signal.SIGKILL)
    voters[0].kill()


@pytest.mark.parametrize(
    "fault", [cut, stop, kill, restart, front_killed, front_stopped, keeper_stopped, keeper_killed]
)
def test_r06_r07_r08_nothing_outlives_the_leadership(
    lan: Lan, voters: Trio, run: Run, witness: Witness, fault: Fault
) -> None:
    """The command does not end, and kingd, the network or the run itself fails: all is dead before b leads."""
    _, b, c = voters
    fault(lan, voters, run)
    until(lambda: not witness.living, lambda: witness.living)
    if fault is not restart:
        lan.until_led_by("b", [b, c])
        assert witness.last_ns < led_since_ns(b)
    if fault is front_stopped:
        run.signal(signal.SIGCONT)
    assert run.end()[0] == (-signal.SIGKILL if fault is front_killed else 76)
    if fault is stop:
        voters[0].signal(signal.SIGCONT)


def test_r05_leadership_that_is_lost_and_won_again_is_lost(lan: Lan, voters: Trio, witness: Witness) -> None:
    """And a hand-over on purpose waits until all has ended."""
    a, b, _ = voters
    run = Run("--socket", str(a.socket), "--", *witness.argv(on_term="0", heirs=2))
    witness.until_alive(3)
    assert a.kingctl("step-down", "--for", "1s").stdout == "b\n"
    assert witness.last_ns < led_since_ns(b)
    lan.until_led_by("a")
    assert run.end()[0] == 76
    assert not witness.living


def test_r11_no_two_commands_at_one_instant(lan: Lan) -> None:
    """Each fault once, in quorum mode; who outranks the next one comes back after each."""
    with scene(lan, seed=1) as found:
        for kind in found.faults:
            found.strike(kind)
        found.leading()
        assert judge(found) == []
        assert not any(lives(pid) for each in found.services for pid in each.keepers)


def test_command_goes_on_with_a_short_leader_timeout(lan: Lan) -> None:
    """A host that is busy may end one for nothing now and then; not one after the other."""
    a, _, _ = lan.trio(config='[timing]\nprofile = "fast"\n')
    until(lambda: a.kingctl("run", "--wait", "--", "sleep", "2").returncode == 0)
