"""The runner beside a fake kingd: what is delivered, in which order, and what is said to the daemon. From the testers' list for
hooks H1 to H3 and H5 to H8; each from what the hooks wrote down. H14 and H15 need real daemons: tests/lan/test_hooks.py."""

import random
import signal
import time
from itertools import pairwise

import pytest

from tests.cli.fake_kingd import BOX1, BOX2, event, status
from tests.hooks.rig import Kingd, Rig, changed, elected, kingd_at

pytestmark = pytest.mark.timeout(180)


def test_state_at_start_is_delivered_once(rig: Rig, kingd: Kingd) -> None:
    rig.hook("10-a")
    rig.hook("20-b")
    rig.start()
    rig.until_ended("leader-changed", hook="20-b")
    kingd.emit(elected(2))
    rig.until_ended("elected", hook="20-b")
    assert [(row.what, row.hook, row.event) for row in rig.rows()] == [
        (what, hook, name)
        for name in ("leader-changed", "elected")
        for hook in ("10-a", "20-b")
        for what in ("begin", "end")
    ]


MISBEHAVIOUR = """
import random, signal, subprocess
chance = random.random()
if chance < 0.2: sys.exit(3)
if chance < 0.4: time.sleep(random.random() / 10)
if chance < 0.5: signal.signal(signal.SIGTERM, signal.SIG_IGN)
if chance < 0.6: subprocess.Popen(["setsid", "sleep", "1000"])
if 0.4 < chance < 0.45: time.sleep(1000)
"""


def test_h01_one_at_a_time_in_growing_order_and_the_last_is_the_final_state(rig: Rig, kingd: Kingd) -> None:
    """Hooks that sleep, fail, hang, ignore SIGTERM and fork, under random changes that do not wait for them."""
    rig.configure(timeout="400ms")
    rig.hook("10-bad", MISBEHAVIOUR)
    rig.hook("20-good")
    rig.start()
    kingd.until_watched()
    rng, leads = random.Random(14), False
    for seq in range(2, 62):
        leads = not leads if leads or rng.random() < 0.5 else leads
        kingd.emit(elected(seq) if leads else changed(seq, "deposed" if rng.random() < 0.5 else "leader-changed"))
        time.sleep(rng.random() / 10)
    last = changed(99, "deposed")
    kingd.emit(last)
    rig.until_true(lambda: any(row.term == 99 and row.what == "end" and row.hook == "20-good" for row in rig.rows()))
    rows = rig.rows()
    assert [row.at_ns for row in rows] == sorted(row.at_ns for row in rows)
    for row, following in pairwise(rows):  # one may be cut off, or exit, without its end; none begins within another's
        assert row.what == "begin" or following.what == "begin"
        if following.what == "end":
            assert (row.hook, row.seq) == (following.hook, following.seq)
    seqs = list(dict.fromkeys(row.seq for row in rows))
    assert seqs == sorted(seqs)
    order = [row.event for row in rows if row.what == "begin" and row.hook == "10-bad"]
    pairs = [name for name in order if name in ("elected", "deposed")]
    assert ("elected", "elected") not in list(pairwise(pairs))
    assert rows[-1].leader == "box1"


def test_h02_exactly_one_further_delivery_the_newest(rig: Rig, kingd: Kingd) -> None:
    rig.hook("10-slow", f"\nwhile not os.path.exists({str(rig.folder / 'go')!r}): time.sleep(0.01)\n")
    rig.start()
    rig.until_true(lambda: rig.told())
    for seq in (2, 3, 4, 5):
        kingd.emit(changed(seq) if seq != 4 else elected(seq))
    (rig.folder / "go").touch()
    rig.until_true(lambda: rig.rows()[-1].what == "end" and rig.rows()[-1].term == 5)
    assert [row.term for row in rig.rows() if row.what == "begin"] == [1, 5]


def test_h03_running_file_ends_and_the_remaining_ones_are_skipped_but_never_of_deposed(rig: Rig, kingd: Kingd) -> None:
    wait = f"\nwhile not os.path.exists({str(rig.folder)!r} + '/go-' + os.environ['KINGD_EVENT']): time.sleep(0.01)\n"
    rig.hook("10-slow", wait)
    rig.hook("20-after")
    rig.start()
    (rig.folder / "go-leader-changed").touch()
    rig.until_ended("leader-changed", hook="20-after")
    kingd.emit(elected(2))
    rig.until_true(lambda: rig.told("10-slow")[-1] == "elected")
    kingd.emit(changed(3, "deposed"))
    (rig.folder / "go-elected").touch()
    rig.until_true(lambda: rig.told("10-slow")[-1] == "deposed")
    kingd.emit(elected(4))
    (rig.folder / "go-deposed").touch()
    rig.until_true(
        lambda: rig.rows()[-1].term == 4 and rig.rows()[-1].hook == "20-after" and rig.rows()[-1].what == "end"
    )
    assert rig.told("10-slow") == ["leader-changed", "elected", "deposed", "elected"]
    assert rig.told("20-after") == ["leader-changed", "deposed", "elected"]
    assert "elected, term 2: the state has moved on, skipping 20-after" in rig.log


def test_h05_exit_1_is_tried_four_times_and_others_once(rig: Rig, kingd: Kingd) -> None:
    rig.hook("10-one", "\nsys.exit(1)\n")
    rig.hook("20-two", "\nsys.exit(2)\n")
    rig.hook("30-killed", "\nos.kill(os.getpid(), 9)\n")
    rig.file("40-no-interpreter", "just text\n")
    rig.hook("50-good")
    rig.start()
    rig.until_ended("leader-changed", hook="50-good")
    counts = {hook: len(rig.told(hook)) for hook in ("10-one", "20-two", "30-killed")}
    assert counts == {"10-one": 4, "20-two": 1, "30-killed": 1}
    begins = [row.at_ns for row in rig.rows() if row.hook == "10-one"]
    gaps = [b - a for a, b in pairwise(begins)]
    assert [gap > pause * 1e9 for gap, pause in zip(gaps, (0.5, 1, 2), strict=True)] == [True] * 3
    for words in ("20-two (leader-changed, term 1): exit code 2", "30-killed (leader-changed, term 1): signal 9"):
        assert rig.log.count(words) == 1
    assert "40-no-interpreter (leader-changed, term 1): it cannot be run: Exec format error" in rig.log


def test_h05_retry_is_given_up_when_the_state_moves_on(rig: Rig, kingd: Kingd) -> None:
    rig.hook("10-one", "\nif os.environ['KINGD_EVENT'] == 'leader-changed': sys.exit(1)\n")
    rig.start()
    rig.until_logged("exit code 1")
    kingd.emit(elected(2))
    rig.until_ended("elected")
    assert len(rig.told()) < 5


def test_h06_deposed_has_ended_before_it_is_said_to_the_daemon(rig: Rig, kingd: Kingd) -> None:
    rig.hook("10-a", "\ntime.sleep(0.3)\n")
    rig.start()
    kingd.until_drains()
    kingd.emit(elected(2))
    rig.until_ended("elected")
    kingd.drain(on=True)
    rig.until_true(lambda: kingd.drained)
    assert rig.rows()[-1][:3] == ("end", "10-a", "deposed")
    kingd.emit(changed(3, "deposed"))
    kingd.drain(on=False)
    rig.until_true(lambda: rig.rows()[-1].leader == "box1" and rig.rows()[-1].what == "end")
    assert rig.told()[-3:] == ["elected", "deposed", "leader-changed"]


def test_h06_hook_that_hangs_delays_it_by_the_bound_and_the_others_still_run(rig: Rig, kingd: Kingd) -> None:
    rig.configure(timeout="1s")
    rig.hook("10-hangs", "\nif os.environ['KINGD_EVENT'] == 'deposed': time.sleep(1000)\n")
    rig.hook("20-waits", "\nif os.environ['KINGD_EVENT'] == 'deposed': time.sleep(0.5)\n")
    rig.start()
    kingd.until_drains()
    kingd.emit(elected(2))
    rig.until_ended("elected", hook="20-waits")
    kingd.service.calls.clear()
    kingd.drain(on=True)
    rig.until_true(lambda: kingd.drained)
    assert not [row for row in rig.rows() if row.event == "deposed" and (row.hook, row.what) == ("20-waits", "end")]
    assert "10-hangs (deposed, term 2): its time was up" in rig.log
    rig.until_ended("deposed", hook="20-waits")


def test_h06_retries_use_up_the_same_time(rig: Rig, kingd: Kingd) -> None:
    """Nothing hangs, and the time is up all the same: leadership waits for no further file."""
    rig.configure(timeout="1s")
    rig.hook("10-fails", "\nif os.environ['KINGD_EVENT'] == 'deposed': sys.exit(1)\n")
    rig.hook("20-waits", "\nif os.environ['KINGD_EVENT'] == 'deposed': time.sleep(0.5)\n")
    rig.start()
    kingd.until_drains()
    kingd.emit(elected(2))
    rig.until_ended("elected", hook="20-waits")
    kingd.service.calls.clear()
    kingd.drain(on=True)
    rig.until_true(lambda: kingd.drained)
    assert not [row for row in rig.rows() if row.event == "deposed" and (row.hook, row.what) == ("20-waits", "end")]
    assert rig.told("10-fails").count("deposed") < 4
    rig.until_ended("deposed", hook="20-waits")


def test_h07_death_of_kingd_is_told_and_the_next_one_too(rig: Rig) -> None:
    rig.hook("10-a")
    with kingd_at(rig.socket, elected(2), status(role="leader", leader=BOX2)):
        rig.start()
        rig.until_ended("elected")
    rig.until_ended("leader-lost")
    assert rig.told() == ["elected", "deposed", "leader-lost"]
    with kingd_at(rig.socket, changed(3), status(role="follower", leader=BOX1)):
        rig.until_ended("leader-changed")
    rig.until_true(lambda: rig.told()[4:] == ["leader-lost"])
    assert rig.process is not None
    assert rig.process.poll() is None


def test_stream_that_is_cut_for_another_reason_is_no_loss(rig: Rig, kingd: Kingd) -> None:
    rig.hook("10-a")
    rig.start()
    rig.until_ended("leader-changed")
    for _ in range(3):
        kingd.fake.do(lambda: kingd.service.emit(None))
        kingd.until_watched()
    kingd.emit(elected(2))
    rig.until_ended("elected")
    assert rig.told() == ["leader-changed", "elected"]


def test_h08_restart_of_kingd_is_its_stop_and_then_the_state_once(rig: Rig) -> None:
    """Its numbers begin anew; ours go on."""
    rig.hook("10-a")
    with kingd_at(rig.socket, changed(40), status(role="follower", leader=BOX1)) as kingd:
        rig.start()
        rig.until_ended("leader-changed")
        kingd.emit(event("stopping", role="follower", leader=BOX1, term=40, seq=41))
        rig.until_ended("stopping")
    with kingd_at(rig.socket, changed(40) | {"seq": 2}, status(role="follower", leader=BOX1)) as kingd:
        rig.until_true(lambda: rig.told().count("leader-changed") == 2)
        kingd.emit(elected(50))
        rig.until_ended("elected")
    assert rig.told()[:4] == ["leader-changed", "stopping", "leader-changed", "elected"]
    seqs = [row.seq for row in rig.rows() if row.what == "begin"]
    assert seqs == sorted(set(seqs))


def test_h08_runner_that_was_killed_goes_on_where_it_was(rig: Rig, kingd: Kingd) -> None:
    rig.hook("10-a")
    rig.start()
    kingd.until_watched()
    kingd.emit(elected(2))
    rig.until_ended("elected")
    rig.until_true(lambda: '"is_finished": true' in (rig.state / "delivered.json").read_text())
    rig.stop(signal.SIGKILL)
    rig.start()
    kingd.until_watched()
    kingd.emit(changed(3, "deposed"))
    rig.until_ended("deposed")
    assert [name for name in rig.told() if name != "leader-changed"] == ["elected", "deposed"]
    seqs = [row.seq for row in rig.rows() if row.what == "begin"]
    assert seqs == sorted(set(seqs))


def test_h08_runner_that_was_killed_in_the_middle_takes_back_and_begins_again(rig: Rig, kingd: Kingd) -> None:
    rig.hook(
        "10-a",
        "\nif os.environ['KINGD_EVENT'] == 'elected': time.sleep(0.2)\n",
    )
    rig.start()
    kingd.until_watched()
    kingd.emit(elected(2))
    rig.until_true(lambda: "elected" in rig.told())
    rig.stop(signal.SIGKILL)
    rig.start()
    rig.until_true(lambda: rig.told().count("elected") == 2)
    order = rig.told()
    assert order[order.index("elected") :] == ["elected", "deposed", "started", "elected"]


def test_h08_stopped_runner_leaves_nothing_open_and_the_next_one_says_started(rig: Rig, kingd: Kingd) -> None:
    rig.hook("10-a")
    rig.start()
    kingd.until_watched()
    kingd.emit(elected(2))
    rig.until_ended("elected")
    assert rig.stop() == 0
    assert rig.told()[-2:] == ["elected", "deposed"]
    rig.start()
    rig.until_true(lambda: rig.told().count("elected") == 2)
    assert rig.told()[-4:] == ["elected", "deposed", "started", "elected"]


def test_reload_of_the_daemon_is_a_reload_here(rig: Rig, kingd: Kingd) -> None:
    rig.hook("10-a")
    rig.start()
    kingd.until_drains()
    rig.until_ended("leader-changed")
    other = rig.folder / "other.d"
    other.mkdir(mode=0o755)
    rig.hook("10-other").rename(other / "10-other")
    rig.config.write_text(f'[hooks]\ndir = "{other}"\n')
    kingd.drain(on=False)  # what `Reload` makes the daemon say
    rig.until_true(lambda: _moves_on(rig, kingd))
    rig.config.write_text("[hooks]\ndir = 7\n")
    assert rig.process is not None
    rig.process.send_signal(signal.SIGHUP)
    rig.until_logged("reload: nothing was changed")


def _moves_on(rig: Rig, kingd: Kingd) -> bool:
    """The thread that hears of the reload is not the one that hears of the event: change until it shows."""
    seq = 2 + len(rig.rows())
    kingd.emit(changed(seq))
    rig.until_true(lambda: any(row.term == seq for row in rig.rows()))
    return rig.rows()[-1].hook == "10-other"


def test_h02_elected_is_not_begun_when_that_leadership_has_ended(rig: Rig, kingd: Kingd) -> None:
    """The end of a hand-over and the `deposed` come on two connections, and either may be read first."""
    rig.hook("10-a")
    rig.start()
    kingd.until_watched()
    rig.until_ended("leader-changed")
    before = kingd.service.answered
    kingd.fake.do(lambda: kingd.service.emit(elected(2)))  # `Status` says that another one leads
    rig.until_true(lambda: kingd.service.answered > before)
    kingd.emit(changed(3))
    rig.until_true(lambda: rig.told().count("leader-changed") == 2)
    assert "elected" not in rig.told()
