"""The lab with real daemons: what it starts it ends, and what they answer is what the interface says."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kingd.cli.main import run
from kingd.client import CallFailed, Client, DaemonNotRunning
from kingd.control.client import call
from kingd.lab.cluster import Cluster
from kingd.lab.folder import LabError, root
from kingd.lab.process import Process, load, of_child
from tests.cli import etc
from tests.cli.conformance import reply_mistakes
from tests.cli.runs import until

NODES = ("box1", "box2", "box3")


def kingctl(*argv: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "KINGD_LAB_DIR": str(folder)}
    command = [sys.executable, "-m", "kingd.cli", *argv]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=50)


def processes_of(folder: Path) -> list[str]:
    """The command lines that name the folder: daemons of a lab in it."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = file.read_bytes().decode().split("\0")
        except OSError:
            continue
        if any(str(folder) in word for word in words) and int(file.parent.name) != os.getpid():
            found.append(" ".join(words))
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a lab of three that runs."""
    path = tmp_path_factory.mktemp("labs")
    path.chmod(0o700)
    started = kingctl("lab", "start", folder=path)
    try:
        assert started.returncode == 0, started.stderr
        rows = [line.split() for line in started.stdout.splitlines()]
        assert [(row[0], row[1], row[3], row[4], row[5]) for row in rows[1:]] == [
            ("box1", "300", "running", "leader", "box1"),
            ("box2", "200", "running", "follower", "box1"),
            ("box3", "100", "running", "follower", "box1"),
        ]
        yield path
    finally:
        assert kingctl("lab", "stop", folder=path).returncode == 0
    until(lambda: not processes_of(path))  # a guardian outlives its daemon for the time that its last words take
    assert list(path.iterdir()) == []


@pytest.fixture
def lab(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """The same lab, all of it running and box1 leading."""
    monkeypatch.setenv("KINGD_LAB_DIR", str(folder))
    cluster = Cluster.open("lab")
    for node in cluster.nodes:
        if node.process is None:
            cluster.start(node.name)
    for node in cluster.nodes:
        wait_for(node.socket, "box1")
    return cluster


def wait_for(socket: str, leader: str) -> None:
    client = Client(socket)
    if any(event["leader"] and event["leader"]["name"] == leader for event in client.watch()):  # type: ignore[index]
        return


def test_nursery_that_fails_at_once_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where a pipe would not hold the names of all daemons."""
    fails = 'import sys\nif "kingd.lab.nursery" in sys.orig_argv: raise SystemExit("there is no room")\n'
    (tmp_path / "sitecustomize.py").write_text(fails)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    labs = tmp_path / "labs"
    labs.mkdir(mode=0o700)
    started = kingctl("lab", "start", "--nodes", "450", folder=labs)
    assert (started.returncode, started.stdout) == (1, "")
    assert started.stderr.startswith("kingctl: the daemons could not be started:\n")
    assert "there is no room" in started.stderr
    assert list(labs.iterdir()) == []


def test_every_node_names_the_same_leader(lab: Cluster, capfd: pytest.CaptureFixture[str]) -> None:
    for node in lab.nodes:
        assert run(["--socket", node.socket, "leader"]) == 0
        assert capfd.readouterr() == ("box1\n", "")
        assert run(["--socket", node.socket, "is-leader"]) == (0 if node.name == "box1" else 1)
        assert run(["--socket", node.socket, "survey"]) == 0
        capfd.readouterr()


def test_real_answers_are_what_the_interface_says(lab: Cluster) -> None:
    for node in lab.nodes:
        for method in ("Status", "Members", "History", "Survey", "Counters"):
            assert reply_mistakes(method, call(node.socket, method)) == []
        assert reply_mistakes("Watch", next(Client(node.socket).watch())) == []
    leader = Client(lab.nodes[0].socket)
    answer = leader.set_priority(301)
    assert reply_mistakes("SetPriority", answer) == []
    assert (answer["priority"], answer["previous"]) == (301, 300)
    assert reply_mistakes("SetPriority", leader.set_priority(300)) == []
    assert reply_mistakes("Reload", leader.reload()) == []


def test_python_api(lab: Cluster) -> None:
    first, second = Client(lab.nodes[0].socket), Client(lab.nodes[1].socket)
    assert first.is_leader()
    assert not second.is_leader()
    leader = second.leader()
    assert leader is not None
    assert leader == first.wait(me=True)
    assert (leader.name, leader.priority) == ("box1", 300)
    assert {node["name"] for node in second.members()["members"]} == set(NODES)  # type: ignore[attr-defined]
    assert second.survey()["agree"] is True
    with pytest.raises(CallFailed, match="box1"):
        second.step_down()
    with pytest.raises(CallFailed) as refused:
        second.set_priority(65536)
    assert refused.value.name == "org.kingd.OutOfRange"


def test_kill_and_start_one(lab: Cluster, folder: Path) -> None:
    second = Client(lab.node("box2").socket)
    assert kingctl("lab", "kill", "box1", folder=folder).returncode == 0
    again = kingctl("lab", "kill", "box1", folder=folder)
    assert (again.returncode, "does not run" in again.stderr) == (1, True)
    assert second.wait(me=True, timeout_s=10).name == "box2"
    with pytest.raises(DaemonNotRunning):
        Client(lab.node("box1").socket).status()
    states = json.loads(kingctl("lab", "ps", "--json", folder=folder).stdout)["nodes"]
    assert [(row["name"], row["state"], row["leader"]) for row in states] == [
        ("box1", "ended", None),
        ("box2", "running", "box2"),
        ("box3", "running", "box2"),
    ]
    assert kingctl("lab", "start-one", "box1", folder=folder).returncode == 0
    assert Client(lab.node("box1").socket).wait(me=True, timeout_s=10).name == "box1"
    again = kingctl("lab", "start-one", "box1", folder=folder)
    assert (again.returncode, "runs already" in again.stderr) == (1, True)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGKILL, "port-closed"), (signal.SIGSTOP, "peer-gone")])
def test_doctor_takes_no_other_daemon_of_this_address_for_a_dead_one(
    lab: Cluster, folder: Path, number: signal.Signals, code: str
) -> None:
    process = lab.node("box3").process
    assert process is not None
    process.signal(number)
    try:
        done = kingctl("--socket", lab.node("box1").socket, "doctor", "--json", folder=folder)
    finally:
        process.signal(signal.SIGKILL)
    until(lambda: lab.node("box3").process is None)
    assert kingctl("lab", "start-one", "box3", folder=folder).returncode == 0
    found = {each["code"]: each["peers"] for each in json.loads(done.stdout)["findings"]}
    assert (done.returncode, found.get(code), "fw-local-in" in found) == (1, ["box3"], False), found


@pytest.mark.parametrize("user", ["root", "kingd"])
def test_it_takes_nothing_from_the_host(tmp_path: Path, user: str) -> None:
    """Not the production key, be it readable or not, and no configuration."""
    files = tmp_path / "kingd"
    files.mkdir()
    (files / "cluster.key").write_text("11" * 32)
    (files / "cluster.key").chmod(0o600)
    (files / "kingd.toml").write_text("no = TOML")
    lab = f"runuser -u {user} -- env KINGD_LAB_DIR=/run/lab {etc.PYTHON} -m kingd.cli"
    done = etc.run(
        f"install -d -o {user} -m 700 /run/lab && {lab} lab start --nodes 2 && "
        f"{lab} --socket /run/lab/lab/box1/control.sock status --json && {lab} lab stop",
        tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["security"] == {"mode": "off", "keys": []}


def test_several_are_killed_and_started_at_once(lab: Cluster, folder: Path) -> None:
    assert kingctl("lab", "kill", "box2", "box3", folder=folder).returncode == 0
    assert [row.state for row in lab.rows()] == ["running", "ended", "ended"]
    assert kingctl("lab", "start-one", "box2", "box3", folder=folder).returncode == 0
    assert [row.leader for row in lab.rows()] == ["box1"] * 3


def test_daemons_share_their_memory(lab: Cluster) -> None:
    """They are forks of one process: most of what each maps, others map too."""
    node = lab.node("box3")
    assert node.process is not None
    lines = Path(f"/proc/{node.process.pid}/smaps_rollup").read_text().splitlines()[1:]
    kib = {line.split(":")[0]: int(line.split()[1]) for line in lines}
    assert kib["Private_Dirty"] < kib["Rss"] / 2


def test_start_that_was_killed_is_cleaned_up_by_stop(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    environment = {**os.environ, "KINGD_LAB_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "kingd.cli", "lab", "start", "--nodes", "12"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as start:
        while not (tmp_path / "lab/box1/lab.pid").exists():
            assert start.poll() is None
        start.kill()
    assert kingctl("lab", "stop", folder=tmp_path).returncode == 0
    until(lambda: not processes_of(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_step_down_hands_over(lab: Cluster, capfd: pytest.CaptureFixture[str]) -> None:
    first = lab.node("box1")
    assert run(["--socket", first.socket, "step-down", "--to", "box3", "--for", "1s"]) == 0
    assert capfd.readouterr().out == "box3\n"
    wait_for(first.socket, "box1")  # it comes back after the second


def test_attach_speaks_to_that_node(lab: Cluster, folder: Path) -> None:
    names = [
        kingctl("lab", "attach", node.name, "sh", "-c", "echo $KINGCTL_SOCKET", folder=folder) for node in lab.nodes
    ]
    assert [done.stdout.strip() for done in names] == [node.socket for node in lab.nodes]
    assert kingctl("lab", "attach", "box1", "sh", "-c", "exit 7", folder=folder).returncode == 7
    assert kingctl("lab", "attach", "box1", "sh", "-c", "exit 255", folder=folder).returncode == 254
    assert kingctl("lab", "attach", "box1", "sh", "-c", "kill -9 $$", folder=folder).returncode == 137
    assert kingctl("lab", "attach", "box1", "no-such-command", folder=folder).returncode == 127
    missing = kingctl("lab", "attach", "box9", "true", folder=folder)
    assert (missing.returncode, "it has box1, box2, box3" in missing.stderr) == (1, True)


def test_how_long_a_verb_waits_is_chosen(lab: Cluster, folder: Path) -> None:
    """For a daemon that is stopped, and so neither answers nor ends."""
    process = lab.node("box3").process
    assert process is not None
    os.kill(process.pid, signal.SIGSTOP)
    try:
        rows = json.loads(kingctl("lab", "--timeout", "20s", "ps", "--json", "--timeout", "0.1", folder=folder).stdout)
        assert rows["nodes"][2]["state"] == "silent"
        late = kingctl("lab", "kill", "box3", "--stop", "--timeout", "0.1", folder=folder)
        assert (late.returncode, "box3 still runs 0.1 s after the signal" in late.stderr) == (1, True)
    finally:
        os.kill(process.pid, signal.SIGCONT)
    until(lambda: lab.node("box3").process is None)
    assert kingctl("lab", "start-one", "box3", "--timeout", "1m", folder=folder).returncode == 0
    wrong = kingctl("lab", "stop", "--timeout", "soon", folder=folder)
    assert (wrong.returncode, "'soon' is no duration" in wrong.stderr) == (2, True)


def test_second_start_is_refused_and_changes_nothing(lab: Cluster, folder: Path) -> None:
    again = kingctl("lab", "start", folder=folder)
    assert (again.returncode, "kingctl lab stop ends it" in again.stderr) == (1, True)
    assert all(node.process for node in lab.nodes)


def test_start_that_was_cut_short_is_in_nobodys_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o700)
    monkeypatch.setenv("KINGD_LAB_DIR", str(tmp_path))
    (tmp_path / "lab").mkdir()
    for _ in range(2):  # the second finds what the first one left: a lab of which nothing runs
        assert [node.name for node in Cluster.create("lab", nodes=2, profile="fast").nodes] == ["box1", "box2"]


def test_no_lab_says_what_to_do(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    for verb in (["ps"], ["stop"], ["kill", "box1"], ["start-one", "box1"]):
        done = kingctl("lab", *verb, folder=tmp_path)
        assert (done.returncode, done.stdout, "kingctl lab start" in done.stderr) == (1, "", True)


def test_process_that_took_over_the_pid_is_not_signalled(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as other:
        stranger = Process(other.pid, 1)
        assert not stranger.is_running
        stranger.signal(signal.SIGKILL)
        assert stranger.wait(0)
        assert other.poll() is None
        other.terminate()


def test_process_is_remembered_signalled_and_waited_for(tmp_path: Path) -> None:
    of_child(os.posix_spawn("/bin/sleep", ["sleep", "60"], {})).save(tmp_path / "p")
    process = load(tmp_path / "p")
    assert process is not None
    assert process.is_running
    assert not process.wait(0.05)
    process.signal(signal.SIGTERM)
    assert process.wait(10)
    assert not process.is_running


@pytest.mark.parametrize("mode", [0o777, 0o720])
def test_folder_that_others_can_write_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int) -> None:
    tmp_path.chmod(mode)
    monkeypatch.setenv("KINGD_LAB_DIR", str(tmp_path))
    with pytest.raises(LabError, match="not ours alone"):
        root()


def test_demo_tells_the_story_and_leaves_nothing(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    done = kingctl("lab", "demo", folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    for words in ("box2 leads, says", "leader-crashed", "box1 leads, says", "leader-left", "All daemons are stopped"):
        assert words in done.stdout
    until(lambda: not processes_of(tmp_path))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_demo_that_is_interrupted_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    tmp_path.chmod(0o700)
    environment = {**os.environ, "KINGD_LAB_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "kingd.cli", "lab", "demo"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True) as demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            if "name a leader" in line:
                break
        assert len(processes_of(tmp_path)) >= 3
        demo.send_signal(number)
        _, err = demo.communicate(timeout=20)
    assert (demo.returncode, "Traceback" in err) == (130, False)
    until(lambda: not processes_of(tmp_path))
    assert list(tmp_path.iterdir()) == []
