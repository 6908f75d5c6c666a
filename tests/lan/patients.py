"""`kingctl doctor` on a host of a test network: in its namespace."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.lan.host import Host

LIMIT_S = 60.0
_KINGCTL = Path(sys.executable).parent / "kingctl"
# The machine of the tests may be busy; that is no fault of these networks.
OF_THE_MACHINE = {"loop-stall"}


class Diagnosis:
    def __init__(self, code: int, answer: dict[str, Any], text: str) -> None:
        self.exit_code = code
        self.answer = answer
        self.text = text

    @property
    def codes(self) -> set[str]:
        return {finding["code"] for finding in self.answer["findings"]}

    @property
    def notes(self) -> set[str]:
        return {finding["code"] for finding in self.answer["notes"]}

    @property
    def faults(self) -> set[str]:
        """But for what the machine of the tests may do."""
        return self.codes - OF_THE_MACHINE

    def finding(self, code: str) -> dict[str, Any]:
        (found,) = [each for each in self.answer["findings"] + self.answer["notes"] if each["code"] == code]
        return dict(found)

    def __repr__(self) -> str:
        return f"exit {self.exit_code}\n{self.text}"


def doctor(host: Host, *options: str) -> Diagnosis:
    command = [str(_KINGCTL), "doctor", f"--socket={host.socket}", "--json", *options]
    done = subprocess.run(
        host.namespace.command(*command), capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    assert done.stdout.startswith("{"), done.stdout + done.stderr
    answer = json.loads(done.stdout)
    shown = [f"{each['code']} [{each['severity']}] {each['what']}\n  {each['evidence']}\n  on {each['where']}: {each['remedy']}"
             for each in answer["findings"] + answer["notes"]]  # fmt: skip
    return Diagnosis(done.returncode, answer, "\n".join(shown) + "\n" + done.stderr)
