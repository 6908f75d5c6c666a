"""`kingctl doctor` on a host of a test network, in its namespace; and a network of patients that many tests share."""

import contextlib
import itertools
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.lan.host import Host, until
from tests.lan.network import Lan

LIMIT_S = 60.0
_KINGCTL = Path(sys.executable).parent / "kingctl"
# The machine of the tests may be busy; that is no fault of these networks.
OF_THE_MACHINE = {"loop-stall"}
_FIREWALL = "table inet doctor {{ chain {hook} {{ type filter hook {hook} priority 0; {rule}; }}; }}"


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


def doctor(host: Host, *options: str, limit_s: float = LIMIT_S) -> Diagnosis:
    command = [str(_KINGCTL), "doctor", f"--socket={host.socket}", "--json", *options]
    done = subprocess.run(
        host.namespace.command(*command), capture_output=True, text=True, timeout=limit_s, check=False
    )
    assert done.stdout.startswith("{"), done.stdout + done.stderr
    answer = json.loads(done.stdout)
    shown = [f"{each['code']} [{each['severity']}] {each['what']}\n  {each['evidence']}\n  on {each['where']}: {each['remedy']}"
             for each in answer["findings"] + answer["notes"]]  # fmt: skip
    return Diagnosis(done.returncode, answer, "\n".join(shown) + "\n" + done.stderr)


def until_found(host: Host, codes: set[str]) -> Diagnosis:
    """What depends on what was heard of others takes a second or two."""
    found: list[Diagnosis] = []

    def is_found() -> bool:
        found.append(doctor(host))
        return codes <= found[-1].codes

    with contextlib.suppress(AssertionError):
        until(is_found, limit_s=15)
    return found[-1]


class Ward:
    """A network of three hosts that agree, which all tests share."""

    def __init__(self, lan: Lan) -> None:
        self.lan = lan
        self.a, self.b, self.c = lan.trio()
        self._guests = itertools.count(1)

    @property
    def trio(self) -> tuple[Host, Host, Host]:
        return self.a, self.b, self.c

    def recover(self) -> None:
        self.lan.heal()
        for host in self.trio:
            if not host.is_running:
                host.start()
        self.lan.until_led_by("a", self.trio)
        self.lan.until_complete(self.trio)
        until(lambda: not any(host.status()["problems"] for host in self.trio), what=lambda: self.a.summary())

    @contextmanager
    def guest(self, *, config: str = "") -> Iterator[Host]:
        """A fourth host, which says goodbye in the end."""
        host = self.lan.host(f"guest{next(self._guests)}", priority=1, config=config)
        try:
            yield host
        finally:
            if host.is_running:
                host.stop()
            self.lan.hosts.remove(host)


@contextmanager
def firewall(host: Host, hook: str, rule: str) -> Iterator[None]:
    host.namespace.nft(_FIREWALL.format(hook=hook, rule=rule))
    try:
        yield
    finally:
        host.namespace.nft("delete table inet doctor")


@contextmanager
def undone(change: Callable[[], object], undo: Callable[[], object]) -> Iterator[None]:
    change()
    try:
        yield
    finally:
        undo()
