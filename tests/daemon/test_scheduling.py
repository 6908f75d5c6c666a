"""Real-time priority, where the timing asks for it. Each test in a thread of its own, whose priority ends with it."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from kingd import scheduling
from tests.conftest import require


def after(*leader_timeouts_us: int) -> tuple[str, int]:
    """What `prefer` said last, and the policy of its thread then."""

    def work() -> tuple[str, int]:
        said = [scheduling.prefer(timeout_us) for timeout_us in leader_timeouts_us]
        return said[-1], os.sched_getscheduler(0)

    with ThreadPoolExecutor() as pool:
        return pool.submit(work).result()


def test_default_timing_takes_no_priority() -> None:
    said, policy = after(500_000)
    assert said == ""
    assert policy & ~os.SCHED_RESET_ON_FORK == os.SCHED_OTHER


def test_short_timeout_takes_it_and_children_do_not_inherit_it() -> None:
    require(os.geteuid() == 0, "real-time priority needs root")
    assert after(30_000) == ("", os.SCHED_RR | os.SCHED_RESET_ON_FORK)


def test_longer_timeout_gives_it_back() -> None:
    require(os.geteuid() == 0, "real-time priority needs root")
    assert after(30_000, 500_000) == ("", os.SCHED_OTHER | os.SCHED_RESET_ON_FORK)


@pytest.mark.parametrize(
    ("leader_timeout_us", "policy"), [(30_000, os.SCHED_RR | os.SCHED_RESET_ON_FORK), (500_000, os.SCHED_RR)]
)
def test_priority_that_somebody_else_has_set_stays(leader_timeout_us: int, policy: int) -> None:
    """CPUSchedulingPriority= of a unit, or chrt: ours would be below it."""
    require(os.geteuid() == 0, "real-time priority needs root")

    def work() -> tuple[int, int]:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(2))
        assert scheduling.prefer(leader_timeout_us) == ""
        return os.sched_getscheduler(0), os.sched_getparam(0).sched_priority

    with ThreadPoolExecutor() as pool:
        assert pool.submit(work).result() == (policy, 2)


def test_refusal_is_a_sentence_that_says_what_to_do() -> None:
    require(os.geteuid() == 0, "dropping a capability needs root")
    code = "from kingd.scheduling import prefer; print(prefer(30_000))"
    command = ["setpriv", "--bounding-set", "-sys_nice", "--inh-caps", "-sys_nice", sys.executable, "-c", code]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said.startswith("no real-time priority (Operation not permitted): ")
    assert "kingd(8)" in said
