"""Nothing is left behind: of what acts on leadership when it dies, and of a long run of faults however it ends."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lan import kills
from tests.lan.host import until

pytestmark = [pytest.mark.lan, pytest.mark.timeout(300)]

TOP = Path(__file__).parents[2]
STUBBORN = """
import os, signal, subprocess, time
from tests.lan.contained import contained

def work():
    child = subprocess.Popen(["setsid", "sleep", "{mark}"])
    time.sleep(0.1)
    os.kill(child.pid, signal.SIGSTOP)
    print("ready", flush=True)
    time.sleep(1000)
    return 0

contained(work)
"""


def test_nothing_is_left_on_a_host_that_does_not_lead() -> None:
    """Two of those of which the command does 1,000."""
    command = [sys.executable, "-m", "tests.lan.kills", "--count=2"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False, cwd=TOP)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_run_of_faults_that_is_ended_takes_along_what_was_stopped(number: signal.Signals) -> None:
    mark = f"{1000 + os.getpid()}.25"
    script = STUBBORN.replace("{mark}", mark)
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, cwd=TOP)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    assert kills.sleepers()[mark] == 1
    process.send_signal(number)
    process.communicate(timeout=60)
    until(lambda: not kills.sleepers()[mark], what="it has gone")
