"""Hosts whose check fails, and hosts in maintenance: real daemons, the process that checks, and kingctl."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from kingd.client import Client
from tests.lan.host import Host, until
from tests.lan.network import Lan

pytestmark = [pytest.mark.lan, pytest.mark.timeout(300)]

Trio = tuple[Host, Host, Host]


@pytest.fixture
def checked(lan: Lan, tmp_path: Path) -> Trio:
    """a, b and c, running, each fit as long as there is no file of its name in `tmp_path`."""

    def check(name: str) -> str:
        return f'[check]\ncommand = ["test", "!", "-e", "{tmp_path / name}"]\ninterval = "100ms"\nrise = 2\nfall = 2\n'

    a, b, c = (lan.host(name, priority=90 - 10 * n, config=check(name)) for n, name in enumerate("abc"))
    lan.start(a, b, c)
    lan.until_led_by("a")
    return a, b, c


def may_not_lead(asked: Host, name: str, why: str | None) -> bool:
    """As `asked` says, and as the one itself answers in a survey."""
    row = asked.members()[name]
    answer = next(node for node in asked.survey()["nodes"] if node["name"] == name)
    return row["ineligible_reason"] == answer["ineligible_reason"] == why and row["eligible"] is (why is None)


def told(host: Host, kind: str) -> list[tuple[str, bool]]:
    return [(event["member"]["name"], event["on"]) for event in host.events() if event["event"] == kind]


def checkers(hosts: Sequence[Host]) -> list[int]:
    """Processes that check for one of these."""
    found = []
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = each.read_bytes()
        except OSError:
            continue
        if b"kingd.check" in words and any(bytes(host.config) in words for host in hosts):
            found.append(int(each.parent.name))
    return found


def test_107_unfit_leader_hands_over_and_108_the_last_one_stays(lan: Lan, checked: Trio, tmp_path: Path) -> None:
    a, b, c = checked
    (tmp_path / "a").touch()
    lan.until_led_by("b")
    until(lambda: may_not_lead(c, "a", "check-failed"))
    assert "deposed check-failed" in a.told()
    assert told(c, "check-failed") == [("a", True)]
    assert "may not lead: check-failed (check: exit code 1)" in a.kingctl("status").stdout
    (tmp_path / "c").touch()
    until(lambda: may_not_lead(b, "c", "check-failed"))
    (tmp_path / "b").touch()
    until(lambda: may_not_lead(c, "b", "check-failed"))
    lan.steady(1.5)
    assert "leads on, for no other may" in b.problems()
    (tmp_path / "c").unlink()
    lan.until_led_by("c")
    (tmp_path / "a").unlink()
    lan.until_led_by("a")
    a.kill()
    until(lambda: checkers([a]) == [])
    lan.until_led_by("c")
    assert len(checkers([b, c])) == 2


def test_108_check_of_a_reload_and_words_of_others(lan: Lan, trio: Trio) -> None:
    """A reload keeps leadership; what kingd-vip says is forgotten when it dies."""
    a, b, _ = trio
    a.config.write_text('[check]\ncommand = ["false"]\nfall = 1\ninterval = "200ms"\n', encoding="utf-8")
    assert a.kingctl("reload").returncode == 0
    lan.until_led_by("b")
    a.config.write_text("", encoding="utf-8")
    assert a.kingctl("reload").returncode == 0
    lan.until_led_by("a")
    until(lambda: checkers([a]) == [])
    Client(str(a.socket)).set_fitness("kingd-vip.service", "eth0 has no carrier", for_s=3)
    lan.until_led_by("b")
    assert "kingd-vip.service: eth0 has no carrier" in a.kingctl("status").stdout
    until(lambda: may_not_lead(b, "a", "check-failed"))
    lan.until_led_by("a")


def test_109_maintenance(lan: Lan, trio: Trio) -> None:
    """It returns when another one leads, survives a SIGKILL of the daemon, and ends by itself."""
    a, b, c = trio
    assert a.kingctl("maintenance", "on", "--reason", "new disk").returncode == 0
    assert a.leader() == "b"
    until(lambda: may_not_lead(c, "a", "maintenance"))
    a.restart()
    lan.until_led_by("b")
    lan.until_complete()
    assert "may not lead: maintenance (new disk)" in a.kingctl("status").stdout
    until(lambda: may_not_lead(c, "a", "maintenance"))
    assert told(c, "maintenance") == [("a", True)]
    assert "(may not lead: maintenance)" in c.kingctl("members").stdout
    assert a.kingctl("maintenance", "on", "--for", "2s").returncode == 0
    lan.until_led_by("a")
    until(lambda: told(c, "maintenance") == [("a", True), ("a", False)])
    until(lambda: not (a.state_folder / "maintenance.json").exists())
    assert (told(b, "maintenance")[0], a.kingctl("maintenance", "off").returncode) == (("a", True), 0)
