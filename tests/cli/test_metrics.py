"""kingctl metrics, against a daemon whose answers a test chooses. What it prints is read by prometheus_client's own parser."""

import errno
import json
import os
import re
import time
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from docs.man import generate
from kingd.cli.main import run
from tests.cli.fake_kingd import BOX1, FakeKingd, status
from tests.cli.runs import FOLLOWS, leads
from tests.conftest import require

# What users' rules and dashboards rely on.
PROMISED = (
    "kingd_up",
    "kingd_is_leader{cluster}",
    "kingd_leader_info{cluster,leader}",
    "kingd_term",
    "kingd_members{state}",
    "kingd_leader_changes_total{reason}",
    "kingd_last_leader_change_timestamp_seconds",
    "kingd_election_duration_seconds_bucket{le}",
    "kingd_election_duration_seconds_sum",
    "kingd_election_duration_seconds_count",
    "kingd_datagrams_sent_total{type}",
    "kingd_datagrams_received_total{type}",
    "kingd_datagrams_rejected_total{reason}",
    "kingd_retransmits_total",
    "kingd_loop_lag_seconds",
    "kingd_overlap_seconds_total",
    "kingd_build_info{version}",
)

Samples = dict[str, float]


def parsed(text: str) -> Samples:
    """Each sample by its name and labels as they are written."""
    return {
        s.name + ("{" + ",".join(f'{k}="{v}"' for k, v in sorted(s.labels.items())) + "}" if s.labels else ""): s.value
        for family in text_string_to_metric_families(text)
        for s in family.samples
    }


def shapes(samples: Samples) -> set[str]:
    return {re.sub(r'="[^"]*"', "", name) for name in samples}


@pytest.fixture
def metrics(kingd: FakeKingd, capfdbinary: pytest.CaptureFixture[bytes]) -> "Metrics":
    return Metrics(capfdbinary)


class Metrics:
    def __init__(self, captured: pytest.CaptureFixture[bytes]) -> None:
        self._captured = captured

    def __call__(self, *argv: str) -> tuple[int, str, str]:
        code = run(["metrics", *argv])
        out, err = self._captured.readouterr()
        return code, out.decode(), err.decode()


def test_every_promised_name_is_there_with_its_labels(metrics: Metrics) -> None:
    code, out, _ = metrics()
    assert code == 0
    assert [name for name in PROMISED if name not in shapes(parsed(out))] == []


def test_manual_has_every_name_and_no_other(metrics: Metrics, tmp_path: Path) -> None:
    page = dict(generate.pages())["kingctl.1"].partition(".SH METRICS")[2].partition("\n.SH ")[0]
    path = tmp_path / "kingd.prom"
    metrics("--textfile", str(path))
    families = {re.sub(r"\{.*|_(bucket|sum|count)(?=\W|$)", "", name) for name in shapes(parsed(path.read_text()))}
    assert set(re.findall(r"kingd_\w+", page.replace("\\", ""))) == families


def test_values_are_the_daemons(metrics: Metrics) -> None:
    found = parsed(metrics()[1])
    expected = {
        "kingd_up": 1,
        'kingd_is_leader{cluster="default"}': 1,
        'kingd_leader_info{cluster="default",leader="box2"}': 1,
        "kingd_term": 12,
        'kingd_members{state="alive"}': 2,
        'kingd_members{state="dead"}': 1,
        'kingd_leader_changes_total{reason="leader-timeout"}': 2,
        "kingd_last_leader_change_timestamp_seconds": 1_795_946_400.25,
        'kingd_election_duration_seconds_bucket{le="0.001"}': 1,
        'kingd_election_duration_seconds_bucket{le="1.0"}': 2,
        'kingd_election_duration_seconds_bucket{le="+Inf"}': 3,
        "kingd_election_duration_seconds_count": 3,
        "kingd_election_duration_seconds_sum": 2.5,
        'kingd_datagrams_sent_total{type="claim"}': 3,
        'kingd_datagrams_received_total{type="heartbeat"}': 70,
        'kingd_datagrams_rejected_total{reason="replay"}': 7,
        "kingd_retransmits_total": 2,
        "kingd_loop_lag_seconds": 0.0015,
        "kingd_overlap_seconds_total": 3,
        'kingd_build_info{version="0.1.0"}': 1,
        'kingd_strangers{why="other-cluster"}': 1,
        "kingd_eligible": 1,
        "kingd_quorum_ok": 1,
    }
    assert {name: found.get(name) for name in expected} == expected


def test_who_does_not_lead_says_who_does(kingd: FakeKingd, metrics: Metrics) -> None:
    kingd.service.status_is = FOLLOWS
    found = parsed(metrics()[1])
    assert found['kingd_is_leader{cluster="default"}'] == 0
    assert [name for name in found if name.startswith("kingd_leader_info")] == [
        'kingd_leader_info{cluster="default",leader="box1"}'
    ]


def test_leader_that_is_not_known_is_not_named(kingd: FakeKingd, metrics: Metrics) -> None:
    over = leads() | {"valid_ms": 0}
    for said in (status(role="candidate", leader=None), over, {**over, "leader": BOX1}):
        kingd.service.status_is = said
        found = parsed(metrics()[1])
        assert found['kingd_is_leader{cluster="default"}'] == 0
        assert "leader=" not in " ".join(found)


def test_daemon_that_is_away_is_down_and_nothing_else(kingd: FakeKingd, metrics: Metrics) -> None:
    kingd.close()
    code, out, err = metrics()
    assert (code, parsed(out)) == (3, {"kingd_up": 0})
    assert "kingd is not running" in err


# -- --textfile


def test_textfile_is_replaced_whole_and_readable(kingd: FakeKingd, metrics: Metrics, tmp_path: Path) -> None:
    path = tmp_path / "kingd.prom"
    path.write_text("former")
    with path.open() as reader:
        before_s = time.time()
        assert metrics("--textfile", str(path), "--valid", "60s") == (0, "", "")
        assert reader.read() == "former"  # who had it open has all of the former one
    found = parsed(path.read_text())
    valid_until_s = found["kingd_textfile_valid_until_timestamp_seconds"]
    assert before_s + 60 <= valid_until_s <= time.time() + 60
    assert found["kingd_up"] == 1
    assert path.stat().st_mode & 0o777 == 0o644
    assert [each.name for each in tmp_path.glob("*kingd.prom*")] == ["kingd.prom"]


def test_textfile_says_that_the_daemon_is_away(kingd: FakeKingd, metrics: Metrics, tmp_path: Path) -> None:
    """Else the last one leads for ever."""
    path = tmp_path / "kingd.prom"
    metrics("--textfile", str(path))
    kingd.close()
    assert metrics("--textfile", str(path))[0] == 3
    assert set(parsed(path.read_text())) == {"kingd_up", "kingd_textfile_valid_until_timestamp_seconds"}
    assert parsed(path.read_text())["kingd_up"] == 0


def test_textfile_that_cannot_be_written_leaves_nothing(metrics: Metrics, tmp_path: Path) -> None:
    path = tmp_path / "kingd.prom"
    path.mkdir()
    (path / "x").touch()
    assert metrics("--textfile", str(path))[0] == 2
    with pytest.raises(OSError, match=r"missing"):
        metrics("--textfile", str(tmp_path / "missing" / "kingd.prom"))
    assert [each.name for each in tmp_path.glob("*kingd.prom*")] == ["kingd.prom"]


def test_textfile_that_is_a_device_is_written_to(metrics: Metrics, tmp_path: Path) -> None:
    """And stays what it is: as root, a file in the place of /dev/null would be the end of this host."""
    full = tmp_path / "full"
    full.symlink_to("/dev/full")
    with pytest.raises(OSError, match=str(full)) as failed:
        metrics("--textfile", str(full))
    assert failed.value.errno == errno.ENOSPC
    assert full.is_char_device()
    assert os.stat("/dev/full").st_rdev == os.makedev(1, 7)  # noqa: PTH116


def test_textfile_that_is_a_pipe_is_written_to(metrics: Metrics, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(OSError, match=str(pipe)):  # nobody reads it
        metrics("--textfile", str(pipe))
    handle = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with open(handle) as reader:  # noqa: PTH123 - a descriptor
        assert metrics("--textfile", str(pipe)) == (0, "", "")
        assert parsed(reader.read())["kingd_up"] == 1
    assert pipe.is_fifo()


def test_textfile_that_is_a_link_is_followed(metrics: Metrics, tmp_path: Path) -> None:
    target, link = tmp_path / "target.prom", tmp_path / "link.prom"
    link.symlink_to("target.prom")
    for _ in range(2):  # it may point at what is not there yet
        assert metrics("--textfile", str(link)) == (0, "", "")
        assert link.is_symlink()
        assert parsed(target.read_text())["kingd_up"] == 1


def test_textfile_that_is_a_strangers_link_is_replaced(metrics: Metrics, tmp_path: Path) -> None:
    """Who may write to the folder of root's textfiles could have root write anywhere."""
    require(os.geteuid() == 0, "to give a link away takes root")
    victim, link = tmp_path / "victim.prom", tmp_path / "link.prom"
    victim.write_text("root's own")
    link.symlink_to(victim)
    os.lchown(link, 65534, -1)
    assert metrics("--textfile", str(link)) == (0, "", "")
    assert victim.read_text() == "root's own"
    assert parsed(link.read_text())["kingd_up"] == 1


def test_textfile_without_a_name_is_a_mistake(metrics: Metrics) -> None:
    code, _, why = metrics("--textfile", "")
    assert code == 2
    assert "--textfile" in why


def test_textfile_that_nobody_will_read_is_remarked(metrics: Metrics, tmp_path: Path) -> None:
    assert "does not end in .prom" in metrics("--textfile", str(tmp_path / "kingd.txt"))[2]


def test_one_object_has_the_same_samples(metrics: Metrics, tmp_path: Path) -> None:
    code, text, _ = metrics()
    again, answer, _ = metrics("--json")
    found = json.loads(answer)
    assert (code, again, found["version"]) == (0, 0, 1)
    samples = {(s["name"], *sorted(s["labels"].items())) for family in found["metrics"] for s in family["samples"]}
    written = {(s.name, *sorted(s.labels.items())) for f in text_string_to_metric_families(text) for s in f.samples}
    assert samples == written
    assert all(family["kind"] and family["help"] for family in found["metrics"])
    code, answer, why = metrics("--json", "--textfile", str(tmp_path / "x.prom"))
    assert (code, answer) == (2, "")
    assert "--textfile" in why


def test_one_object_of_a_daemon_that_is_away(kingd: FakeKingd, metrics: Metrics) -> None:
    code, answer, why = metrics("--json", "--socket", "/no/such.sock")
    [up] = json.loads(answer)["metrics"]
    assert (code, up["name"], up["samples"][0]["value"]) == (3, "kingd_up", 0)
    assert why
