"""Maintenance is kept in the state folder, and ends when it is to, whatever the calendar does meanwhile."""

import errno
import json
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from kingd.control.service import JsonObject
from kingd.core.timing import NEVER, SECOND
from kingd.core.wire.message import Ineligible
from kingd.daemon import maintenance as module
from kingd.daemon.clock import boot_id, now_us
from kingd.daemon.maintenance import Maintenance
from kingd.daemon.store import Owner, Store
from kingd.loop import Loop
from tests.daemon.loops import answered, until
from tests.unit.scripted import Bench

BOX1 = Owner("box1", "lan")
OPEN: list[Store] = []
LOOP = Loop()


def reopened(folder: Path) -> Maintenance:
    """As the next start finds it; the lock of the folder ends with the process."""
    while OPEN:
        OPEN.pop().close()
    OPEN.append(Store.open(folder, BOX1))
    return Maintenance(OPEN[-1], LOOP)


@pytest.fixture(autouse=True, scope="module")
def loop_closed() -> Iterator[None]:
    LOOP.keep_thread()  # of all tests
    yield
    LOOP.close()


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    while OPEN:
        OPEN.pop().close()


def begun(maintenance: Maintenance) -> Bench:
    bench = Bench(unfit=maintenance.at_start())
    bench.now_us = now_us()
    bench.perform(bench.core.tick(now_us=bench.now_us))

    def set_unfit(why: Ineligible, until_us: int) -> None:
        bench.perform(bench.core.set_unfit(why, until_us=until_us, now_us=now_us()))

    maintenance.begin(set_unfit)
    return bench


def order(maintenance: Maintenance, *, on: bool, for_s: float | None, reason: str) -> JsonObject:
    return answered(LOOP, lambda answer: maintenance.order(answer, on=on, for_s=for_s, reason=reason))


def left_s(maintenance: Maintenance) -> float:
    until_us = maintenance.at_start()[Ineligible.MAINTENANCE]
    return (until_us - now_us()) / SECOND


def reason(bench: Bench) -> str | None:
    return bench.core.status(now_us()).ineligible_reason


def test_it_survives_a_restart_with_its_end_and_its_reason(tmp_path: Path) -> None:
    first = reopened(tmp_path)
    bench = begun(first)
    answer = order(first, on=True, for_s=3600, reason="new disk")
    assert (answer["on"], answer["saved"], str(answer["until"])[-1]) == (True, True, "Z")
    assert reason(bench) == "maintenance"
    second = reopened(tmp_path)
    assert 3500 < left_s(second) <= 3600
    assert (second.detail(), second.problems()) == ("new disk", [])
    begin_and_end(second)
    assert reopened(tmp_path).at_start() == {}
    assert not (tmp_path / "maintenance.json").exists()


def begin_and_end(maintenance: Maintenance) -> None:
    bench = begun(maintenance)
    assert order(maintenance, on=False, for_s=None, reason="") == {
        "version": 1,
        "on": False,
        "until": None,
        "saved": True,
    }
    assert reason(bench) is None


def test_without_an_end_it_lasts_until_it_is_taken_back(tmp_path: Path) -> None:
    first = reopened(tmp_path)
    begun(first)
    assert order(first, on=True, for_s=None, reason="")["until"] is None
    assert reopened(tmp_path).at_start() == {Ineligible.MAINTENANCE: NEVER}


def test_it_ends_by_itself_and_its_file_goes(tmp_path: Path) -> None:
    maintenance = reopened(tmp_path)
    bench = begun(maintenance)
    order(maintenance, on=True, for_s=0.2, reason="")
    maintenance.look()
    assert reason(bench) == "maintenance"
    time.sleep(0.25)
    maintenance.look()
    assert reason(bench) is None
    until(LOOP, lambda: not (tmp_path / "maintenance.json").exists())


@pytest.mark.parametrize(
    ("begin_s", "end_s", "least", "most"),
    [(0, 3600, None, None), (-60, 3600, 3500, 3600), (7200, 10800, 3500, 3600)],
    ids=["over", "under way", "the calendar was set back"],
)
def test_calendar_of_the_next_start(
    tmp_path: Path, begin_s: float, end_s: float, least: float | None, most: float | None
) -> None:
    now_s = 0 if least is None else time.time()
    document = {"format": 1, "begin_s": now_s + begin_s, "end_s": now_s + end_s, "reason": ""}
    file = tmp_path / "maintenance.json"
    file.write_text(json.dumps(document))
    file.chmod(0o600)
    found = reopened(tmp_path)
    if least is None or most is None:
        assert found.at_start() == {}
        assert not file.exists()
    else:
        assert least < left_s(found) <= most


def ordered(folder: Path, for_s: float) -> None:
    first = reopened(folder)
    begun(first)
    order(first, on=True, for_s=for_s, reason="")


@pytest.mark.parametrize("set_s", [-7200, 86400], ids=["back", "ahead"])
def test_calendar_that_is_set_counts_for_nothing_within_one_boot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, set_s: float
) -> None:
    """Half of the hour has passed by the clock that nobody sets."""
    ordered(tmp_path, 3600)
    real_us, real_s = now_us, time.time
    later_us = 1800 * SECOND
    monkeypatch.setattr(module, "now_us", lambda: real_us() + later_us)
    monkeypatch.setattr(time, "time", lambda: real_s() + set_s)
    until_us = reopened(tmp_path).at_start()[Ineligible.MAINTENANCE]
    assert 1700 < (until_us - real_us() - later_us) / SECOND <= 1800


def test_after_another_boot_the_calendar_counts_and_each_start_shortens_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ordered(tmp_path, 3600)
    real_s = time.time
    for boot, (passed_s, least_s, most_s) in enumerate([(1800, 1700, 1800), (-86400, 1700, 1800)]):
        monkeypatch.setattr(module, "boot_id", lambda boot=boot: f"another {boot}")
        monkeypatch.setattr(time, "time", lambda passed_s=passed_s: real_s() + passed_s)
        assert least_s < left_s(reopened(tmp_path)) <= most_s
    monkeypatch.setattr(module, "boot_id", lambda: "a third one")
    monkeypatch.setattr(time, "time", lambda: real_s() + 3600)
    assert reopened(tmp_path).at_start() == {}


def test_boot_that_is_not_known_is_another_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "boot_id", lambda: "")
    ordered(tmp_path, 3600)
    real_s = time.time
    monkeypatch.setattr(time, "time", lambda: real_s() + 3600)
    assert reopened(tmp_path).at_start() == {}


def test_boot_is_told_by_systemd_or_by_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KINGD_BOOT_ID", raising=False)
    by_kernel = boot_id()
    assert len(by_kernel) == 32
    monkeypatch.setenv("KINGD_BOOT_ID", "0" * 32)
    assert boot_id() == "0" * 32


def document(end_s: str) -> bytes:
    return b'{"format": 1, "begin_s": 0, "reason": "", "end_s": %s}' % end_s.encode()


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"[]", b"{", b'{"format": 2}', b'{"format": 1, "begin_s": "x"}', b"[" * 100_000),
        *(document(end_s) for end_s in ("Infinity", "NaN", "1e999", "-1", "1e15", "9" * 400)),
    ],
)
def test_record_that_cannot_be_read_keeps_it_on_and_says_so(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "maintenance.json"
    file.write_bytes(data)
    file.chmod(0o600)
    found = reopened(tmp_path)
    assert found.at_start() == {Ineligible.MAINTENANCE: NEVER}
    assert "kingctl maintenance off" in found.problems()[0]
    begun(found)
    order(found, on=False, for_s=None, reason="")
    assert (found.problems(), reopened(tmp_path).at_start()) == ([], {})


def test_what_cannot_be_kept_is_in_force_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    maintenance = reopened(tmp_path)
    bench = begun(maintenance)

    def full(_self: Store, _name: str, _data: bytes | None) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Store, "keep", full)
    assert order(maintenance, on=True, for_s=None, reason="")["saved"] is False
    assert reason(bench) == "maintenance"
    assert "not kept over a restart" in maintenance.problems()[0]


def test_what_could_not_be_kept_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    maintenance = reopened(tmp_path)
    begun(maintenance)
    monkeypatch.setattr(module, "_RETRY_S", 0.01)
    refused: list[object] = []

    def no_thread(_work: object, then: Callable[[OSError], object]) -> None:
        refused.append(then)
        LOOP.call_soon(partial(then, OSError(errno.EAGAIN, "no thread can be started")))

    with monkeypatch.context() as patch:
        patch.setattr(LOOP, "in_kept_thread", no_thread)
        assert order(maintenance, on=True, for_s=None, reason="disk")["saved"] is False
        assert "no thread can be started" in maintenance.problems()[0]
        until(LOOP, lambda: len(refused) > 2)
    until(LOOP, lambda: not maintenance.problems())
    assert reopened(tmp_path).detail() == "disk"
