"""`is-leader --json`: what `leader --json` says, and whether it is this host. Without it nothing is printed."""

import json

import pytest

from kingd.cli.main import run
from kingd.control.service import JsonObject
from tests.cli.fake_kingd import BOX1, BOX2, FakeKingd, status

ANSWERS = [
    (status(role="leader", leader=BOX2), 0, True),
    (status(role="follower", leader=BOX1), 1, False),
    (status(role="candidate", leader=None), 4, None),
]


@pytest.mark.parametrize(("answer", "code", "said"), ANSWERS)
def test_is_leader_json(
    kingd: FakeKingd, capfd: pytest.CaptureFixture[str], answer: JsonObject, code: int, said: bool | None
) -> None:
    kingd.service.status_is = answer
    run(["leader", "--json"])
    leader = json.loads(capfd.readouterr().out)
    assert run(["is-leader", "--json"]) == code
    out, err = capfd.readouterr()
    assert (json.loads(out), err) == (leader | {"is_leader": said}, "")
