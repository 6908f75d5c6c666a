"""`Hold` on the control socket: who may have it, who is told, and who is dropped."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from kingd.control.answer import section
from kingd.control.client import CallFailed, stream
from tests.cli.fake_kingd import FakeKingd, running
from tests.cli.raw_client import PATIENCE_S, Raw, eventually, is_alive
from tests.cli.runs import FOLLOWS, leads
from tests.daemon.test_control_access import SOMEBODY, as_user, needs_root

MANY = 500


@pytest.fixture
def kingd(tmp_path: Path) -> Iterator[FakeKingd]:
    with running(tmp_path / "control.sock") as server:
        server.service.status_is = leads()
        yield server
        assert server.failures == []


def is_told(path: Path, name: str | None) -> bool:
    try:
        return next(stream(str(path), "Hold", {"name": name}, first_s=PATIENCE_S))["leads"] is True
    except CallFailed as error:
        if error.name != "org.kingd.NotAuthorized":
            raise
        return False


@needs_root
@pytest.mark.parametrize(("uid", "name", "told"), [(0, "me", True), (SOMEBODY, None, True), (SOMEBODY, "me", False)])
def test_hand_over_waits_only_for_who_may_have_that(uid: int, name: str | None, told: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        path = Path(folder) / "s"
        with running(path) as kingd:
            kingd.service.status_is = leads()
            assert as_user(uid, [], lambda: is_told(path, name)) is told


@pytest.mark.parametrize("parameters", [{"name": ""}, {"name": 1}, {"name": "x" * 65}, {"name": "me", "more": 1}])
def test_wrong_name_is_refused(kingd: FakeKingd, parameters: dict[str, object]) -> None:
    with Raw(kingd) as client:
        reply = client.ask("org.kingd.Hold", parameters, more=True).reply()
        assert reply["error"] == "org.varlink.service.InvalidParameter"
        assert client.ask("org.kingd.Hold", {}).reply()["error"] == "org.varlink.service.ExpectedMore"
        assert "parameters" in client.ask("org.kingd.Status").reply()


def test_all_of_many_are_told_of_each_change_and_cost_one_descriptor_each(kingd: FakeKingd) -> None:
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    with ExitStack() as stack:
        clients = [stack.enter_context(Raw(kingd)) for _ in range(MANY)]
        for number, client in enumerate(clients):
            reply = client.ask("org.kingd.Hold", {"name": f"run {number}"}, more=True).reply()
            assert reply["continues"] is True
        assert len(os.listdir("/proc/self/fd")) <= before + 2 * MANY  # noqa: PTH208
        kingd.do(lambda: kingd.service.tell_to_drain(True))
        kingd.service.status_is = FOLLOWS
        kingd.do(lambda: kingd.service.emit(kingd.service.present))
        for client in clients:
            while (said := section(client.reply(), "parameters"))["leads"]:
                pass
            assert said["draining"] is True
        assert is_alive(kingd)
    eventually(lambda: not kingd.service.names_held)


def test_who_does_not_read_is_dropped_and_the_others_are_told_on(kingd: FakeKingd) -> None:
    kingd.service.status_is = leads() | {"valid_ms": 9}
    with Raw(kingd) as silent, Raw(kingd) as other:
        for client in (silent, other):
            client.ask("org.kingd.Hold", {"name": "me"}, more=True)
        while not kingd.server.refused["does not read what it watches"]:
            other.reply()
        assert silent.is_closed_by_server()
        assert "parameters" in other.reply()
