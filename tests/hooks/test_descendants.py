"""Nothing gets away from the runner by forking and ending all the time: there is always somebody, and never twice the same."""

import subprocess
import sys
from pathlib import Path

import pytest

HOPS = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
end_s = time.monotonic() + 60
while time.monotonic() < end_s:
    if os.fork():
        os._exit(0)
    time.sleep(0.0005)
"""
ENDS = """
import subprocess, sys, time
from kingd.acting.linux import adopt_orphans
from kingd.hooks.descendants import end_all
adopt_orphans()
subprocess.Popen([sys.executable, "-ISc", sys.argv[1], sys.argv[2]])
time.sleep(0.5)
print(end_all())
"""


def processes_with(mark: str) -> list[str]:
    found = []
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = each.read_bytes().split(b"\0")
        except OSError:
            continue
        if mark.encode() in words and b"-ISc" in words:
            found.append(each.parent.name)
    return found


@pytest.mark.timeout(120)
def test_h04_what_forks_and_ends_all_the_time_is_ended(tmp_path: Path) -> None:
    mark = f"hopping-for-{tmp_path}"
    done = subprocess.run(
        [sys.executable, "-c", ENDS, HOPS, mark], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "[]\n"
    assert processes_with(mark) == []
