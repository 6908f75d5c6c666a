"""The pages and the completion, in the hands of `man` and of bash. What they say is in tests/unit/test_manual.py."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from docs.man import generate
from kingd.daemon.command import command as kingd
from tests.conftest import require

TOP = Path(__file__).parents[2]


def test_man_has_nothing_to_say_about_the_pages(tmp_path: Path) -> None:
    require(shutil.which("man"), "man is not installed (Debian: man-db)")
    generate.main(tmp_path)
    environment = os.environ | {"LC_ALL": "C.UTF-8", "MANROFFSEQ": "", "MANWIDTH": "80"}
    for page, _ in generate.pages():
        command = [
            "man",
            "--warnings",
            "--encoding=UTF-8",
            "--troff-device=utf8",
            "--ditroff",
            str(tmp_path / "man" / page),
        ]
        run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert (run.returncode, run.stderr) == (0, "")


@pytest.mark.parametrize(
    ("module", "words", "offered"),
    [
        ("kingd.cli", "kingctl sur", "plain,survey"),
        ("kingd.cli", "kingctl dec", "plain,decode"),
        ("kingd.cli", "kingctl step-down --t", "plain,--to"),
        ("kingd", "kingd --pri", "plain,--priority"),
    ],
)
def test_bash_is_offered_what_the_command_knows(module: str, words: str, offered: str) -> None:
    name = words.split()[0]
    asked = {f"_{name.upper()}_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    assert f"_{name.upper()}_COMPLETE=bash_complete" in generate.completion(name, kingd)
    program = f"import sys; sys.argv[:] = [{name!r}]; import runpy; runpy.run_module({module!r}, run_name='__main__')"
    command = [sys.executable, "-c", program]
    run = subprocess.run(command, env=os.environ | asked, cwd=TOP, capture_output=True, text=True, check=False)
    assert offered in run.stdout.splitlines()
