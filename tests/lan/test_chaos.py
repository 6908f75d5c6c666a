"""Short runs of the nemesis (`make chaos`): random faults on five hosts, judged from outside."""

from pathlib import Path

import pytest

from tests.chaos import plan
from tests.chaos.checker import Outcome, judge
from tests.chaos.nemesis import Nemesis
from tests.lan.network import Lan

pytestmark = pytest.mark.lan
HOSTS = ("a", "b", "c", "d", "e")


@pytest.mark.timeout(180)
@pytest.mark.parametrize("mode", ["availability", "quorum"])
def test_what_an_outsider_sees_under_faults_is_as_promised(lan: Lan, mode: str, tmp_path: Path) -> None:
    with Nemesis(lan, seed=3, mode=mode, hosts=HOSTS, folder=tmp_path) as nemesis:
        nemesis.run(plan.draw(3, HOSTS, minutes=0.6))
    history = nemesis.history()
    verdict = judge(history)
    assert verdict.outcome is Outcome.OK, verdict.findings
    assert history.faults
    assert sum(said.count for said in history.answers) > 1000
    assert len(verdict.agreed_s) == len(history.quiets) > 0


@pytest.mark.timeout(600)
def test_who_replays_what_he_heard_makes_no_second_leader(lan: Lan, tmp_path: Path) -> None:
    """`make chaos MODE=quorum ATTACKER=1 SEED=1`: he listens, and then the leader starts again and is cut off, again and again
    until he has had his say. Here that is in the first of these rounds; on a slow machine less is said in each."""
    with Nemesis(lan, seed=1, mode="quorum", hosts=HOSTS, folder=tmp_path, attacker=True) as nemesis:
        assert nemesis.eavesdropper is not None
        listens, *attacks = plan.draw_for_attacker(1, HOSTS, minutes=4)
        nemesis.run([listens])
        while nemesis.eavesdropper.sent["answer"] <= 20:
            assert attacks, f"nobody asked what he has recorded answers to: {nemesis.eavesdropper.sent}"
            nemesis.run([attacks.pop(0)])
    verdict = judge(nemesis.history())
    assert verdict.outcome is Outcome.OK, verdict.findings
