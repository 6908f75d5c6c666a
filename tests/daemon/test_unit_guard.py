"""What tests/unit/conftest.py forbids there is found out, and said."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).parents[2]
NOT_PURE = """
import contextlib, os, socket, subprocess, time

def test_socket():
    socket.socket()

def test_program():
    subprocess.run(["true"])

def test_fork():
    os.fork()

def test_sleep():
    time.sleep(0)

def test_excuse():
    with contextlib.suppress(Exception):
        socket.socket()

def test_pure():
    assert True
"""


def test_unit_test_that_is_not_pure_fails_and_says_why(tmp_path: Path) -> None:
    shutil.copy(TOP / "tests" / "unit" / "conftest.py", tmp_path)
    (tmp_path / "test_not_pure.py").write_text(NOT_PURE)
    command = [sys.executable, "-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider", str(tmp_path)]
    environment = os.environ | {"COLUMNS": "200", "PYTHONPATH": str(TOP)}  # no reason is cut off
    said = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False).stdout
    for name, does in [
        ("socket", "opens a socket (socket.__new__)"),
        ("program", "starts a process (subprocess.Popen)"),
        ("fork", "starts a process (os.fork)"),
        ("sleep", "sleeps (time.sleep)"),
        ("excuse", "opens a socket (socket.__new__)"),
    ]:
        assert f"test_{name} - Failed: a unit test {does}: its place is tests/daemon" in said
    assert "4 failed, 2 passed, 5 errors" in said, "what swallows the refusal fails too"
