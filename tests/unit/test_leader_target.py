"""When kingd-leader.target is up, as a table of what the daemon said and when; and the margin between two hosts."""

from pathlib import Path

import pytest

from kingd.config import PROFILES
from kingd.control.client import JsonObject
from kingd.core.timing import Timing
from kingd.daemon.leader_target import judge
from kingd.daemon.target_units import Unit, has_process, read, wanted
from kingd.daemon.tenure import DEAD_BY_US, KILL_AFTER_US, SETTLE_US, Said, Tenure, View

MS = 1_000
YES = Said(view=View.LEADS, valid_us=300 * MS)
UNSURE = Said(view=View.UNSURE)


def tenure(*said: tuple[int, Said]) -> Tenure:
    """What was said, each at its millisecond, and answered at once."""
    found = Tenure()
    for at_ms, each in said:
        found.note(each, asked_us=at_ms * MS, now_us=at_ms * MS)
    return found


def leads(first_ms: int, last_ms: int, said: Said = YES) -> list[tuple[int, Said]]:
    return [(at_ms, said) for at_ms in range(first_ms, last_ms + 1, 100)]


def lease(valid_ms: int) -> Said:
    return Said(view=View.LEADS, valid_us=valid_ms * MS, quorum=True)


def test_starts_only_after_uninterrupted_leadership() -> None:
    assert not tenure(*leads(0, 1400)).is_up(now_us=1450 * MS)
    assert tenure(*leads(0, 1500)).is_up(now_us=1550 * MS)
    no = Said(view=View.FOLLOWS)
    assert not tenure(*leads(0, 900), (1000, no), *leads(1100, 2000)).is_up(now_us=2050 * MS)


def test_leadership_counts_from_the_first_answer_and_not_from_its_question() -> None:
    """The daemon was elected while it was being asked."""
    held = Tenure()
    held.note(YES, asked_us=0, now_us=400 * MS)
    for at_ms, said in leads(500, 1800):
        held.note(said, asked_us=at_ms * MS, now_us=at_ms * MS)
    assert not held.is_up(now_us=1850 * MS)
    held.note(YES, asked_us=1900 * MS, now_us=1900 * MS)
    assert held.is_up(now_us=1900 * MS)


def test_silence_is_not_leadership() -> None:
    """A yes, then nothing for long, then a yes: nobody knows what was between them."""
    assert not tenure(*leads(0, 300), *leads(1900, 2000)).is_up(now_us=2000 * MS)


@pytest.mark.parametrize("view", [View.FOLLOWS, View.GONE])
def test_ends_with_the_first_no(view: View) -> None:
    held = tenure(*leads(0, 1500))
    held.note(Said(view=view), asked_us=1600 * MS, now_us=1600 * MS)
    assert not held.is_up(now_us=1600 * MS)
    assert not held.is_leading
    assert held.ended_us == 1500 * MS  # perhaps at once after the last yes


@pytest.mark.parametrize(
    ("said", "until_ms"), [(YES, 2500), (lease(980), 2480), (lease(58), 1750), (lease(9800), 11300)]
)
def test_moment_without_an_answer_is_survived_and_a_hung_daemon_is_not(said: Said, until_ms: int) -> None:
    held = tenure(*leads(0, 1500, said), (1600, UNSURE), (1700, UNSURE))
    assert held.is_up(now_us=until_ms * MS - 1)
    assert held.left_us(now_us=1700 * MS) == (until_ms - 1700) * MS
    assert not held.is_up(now_us=until_ms * MS)
    assert held.ended_us == 1500 * MS + said.valid_us


def test_answer_is_good_from_when_it_was_asked_for() -> None:
    """However late it came: this process was stopped, or its answer waited behind others."""
    held = tenure(*leads(0, 1500, lease(980)))
    held.note(lease(980), asked_us=1600 * MS, now_us=2400 * MS)
    assert held.is_up(now_us=2580 * MS - 1)
    assert not held.is_up(now_us=2580 * MS)
    assert held.ended_us == 2580 * MS


# -- the margin: docs/guarantees.md has these numbers

RHO = 1.01
README = Path(__file__).parents[2] / "README.md"
MARGIN_MS = {"lan": 1400, "wifi": 1400, "fast": 1200}


def last_yes(profile: str, age_ms: int) -> Said:
    """Asked so long after the newest proof of the lease."""
    heartbeat_us, leader_timeout_us = PROFILES[profile]
    lease_us = Timing(heartbeat_us=heartbeat_us, leader_timeout_us=leader_timeout_us).lease_us
    return Said(view=View.LEADS, valid_us=lease_us - lease_us // 50 - age_ms * MS, quorum=True)


@pytest.mark.parametrize("age_ms", [0, 10, 50])
@pytest.mark.parametrize("profile", PROFILES)
def test_margin_between_told_to_stop_here_and_started_there(profile: str, age_ms: int) -> None:
    """By a slow clock here, a quick one there, and an election at the first moment that the protocol allows."""
    said = last_yes(profile, age_ms)
    held = tenure((0, said))
    told_us = held.left_us(now_us=0) * RHO
    assert not held.is_up(now_us=held.left_us(now_us=0))
    started_us = said.valid_us * RHO + SETTLE_US / RHO
    assert (started_us - told_us) / MS >= MARGIN_MS[profile]


def test_front_page_says_when_a_service_is_back_beside_when_somebody_leads() -> None:
    """The first paragraphs named half a second, which is leadership: a service waits for three times as long."""
    first = " ".join(README.read_text(encoding="utf-8").partition("## Try it")[0].split())
    assert "within half a second" in first
    assert f"the next host starts it when it has led for {SETTLE_US / 1_000_000:g} s" in first


@pytest.mark.parametrize("profile", PROFILES)
def test_what_is_exclusive_is_dead_before_another_host_starts(profile: str) -> None:
    """Half a second at least is left for systemd and the kernel, after the unit had half a second to end by itself."""
    said = last_yes(profile, 0)
    held = tenure((0, said))
    told_us = held.left_us(now_us=0)
    held.expire(now_us=told_us)
    killed_us, dead_by_us = held.ended_us + KILL_AFTER_US, held.ended_us + DEAD_BY_US
    assert killed_us - told_us >= 500 * MS
    assert dead_by_us - killed_us >= 500 * MS
    assert dead_by_us * RHO <= said.valid_us * RHO + SETTLE_US / RHO


@pytest.mark.parametrize(
    ("role", "leader", "reason", "view"),
    [
        ("leader", {"id": "a"}, "joined", View.LEADS),
        ("candidate", None, "stalled", View.UNSURE),
        ("candidate", None, "quorum-lost", View.FOLLOWS),
        ("leader", {"id": "b"}, "joined", View.FOLLOWS),
        ("follower", {"id": "b"}, "joined", View.FOLLOWS),
        ("joining", None, "joined", View.FOLLOWS),
    ],
)
def test_status_is_judged(role: str, leader: dict[str, object] | None, reason: str, view: View) -> None:
    status: JsonObject = {
        "node": {"id": "a", "role": role},
        "leader": leader,
        "reason": reason,
        "mode": "quorum",
        "valid_ms": 7,
    }
    said = judge(status)
    assert said.view is view
    if view is View.LEADS:
        assert (said.valid_us, said.quorum) == (7000, True)


def test_everything_that_the_target_pulls_in_is_stopped_with_it() -> None:
    shown = "Wants=web.service db.service\nRequires=\nBindsTo=kingd-leader.service\nConsistsOf=a.service web.service\n"
    assert wanted(shown) == ["a.service", "db.service", "web.service"]


def test_units_that_are_shown_are_read() -> None:
    shown = (
        "Id=kingd-leader.target\nActiveState=inactive\n\nId=a.service\nActiveState=deactivating\nControlGroup=/x/a\n"
    )
    assert read(shown) == [Unit("kingd-leader.target", "inactive", ""), Unit("a.service", "deactivating", "/x/a")]


def test_group_is_empty_when_it_and_all_below_it_have_no_process(tmp_path: Path) -> None:
    """A unit with KillMode=process ends and leaves the rest running."""
    group, below = tmp_path / "system.slice" / "a.service", tmp_path / "system.slice" / "a.service" / "below"
    below.mkdir(parents=True)
    for file in (group / "cgroup.procs", below / "cgroup.procs"):
        file.write_text("")
    assert not has_process("/system.slice/a.service", tops=[tmp_path])
    (below / "cgroup.procs").write_text("77\n")
    assert has_process("/system.slice/a.service", tops=[tmp_path / "no hierarchy", tmp_path])
    assert not has_process("/system.slice/gone.service", tops=[tmp_path])
    assert not has_process("", tops=[tmp_path])
