"""A cluster with keys: nobody without one takes part, and keys come and are rolled without a gap."""

import time
from pathlib import Path

import pytest

from tests.lan.host import Host, until
from tests.lan.network import Lan

pytestmark = pytest.mark.lan

FIRST, SECOND = "11" * 32, "22" * 32


def key_file(host: Host, *keys: str) -> Path:
    file = host.config.with_name("cluster.key")
    file.touch(mode=0o600)
    file.write_text("".join(f"{key}\n" for key in keys), encoding="utf-8")
    return file


def configure(host: Host, mode: str, *keys: str) -> None:
    host.config.write_text(f'[security]\nmode = "{mode}"\nkey_file = "{key_file(host, *keys)}"\n', encoding="utf-8")


def refused(host: Host) -> int:
    rejected = host.status()["rejected"]
    return sum(rejected.get(reason, 0) for reason in ("bad-key", "unsigned", "damaged"))


def silent(host: Host) -> list[str]:
    return [problem for problem in host.status()["problems"] if "does not answer" in problem]


def strangers(host: Host) -> set[str]:
    return {stranger["address"].rpartition(":")[0] for stranger in host.status()["strangers"]}


def test_101_wrong_key_node(lan: Lan) -> None:
    """Without the key, or with another one, the best host is a stranger, named by cause, and disturbs nobody."""
    a, b = lan.host("a", priority=30), lan.host("b", priority=20)
    wrong, none = lan.host("wrong", priority=90), lan.host("none", priority=80)
    for host, key in ((a, FIRST), (b, FIRST), (wrong, SECOND)):
        configure(host, "enforce", key)
    for host in (a, b):
        host.start()
    lan.until_led_by("a", [a, b])
    wrong.start()
    none.start()
    until(lambda: {wrong.address, none.address} <= strangers(a), what=a.summary)
    until(lambda: wrong.status()["strangers"] != [], what=wrong.summary)
    lan.steady(2, [a, b])
    for host in (a, b):
        assert {stranger["why"] for stranger in host.status()["strangers"]} == {"bad-key"}
        assert sorted(host.members()) == ["a", "b"]
        assert host.kingctl("leader").stdout == "a\n"


def test_key_that_just_appears_host_by_host_is_not_taken_for_a_firewall(lan: Lan) -> None:
    """The wrong way to give a cluster its first key, and what the hosts say of one another on the way and after it."""
    trio = lan.ranked(3)
    lan.start()
    lan.until_led_by("a")
    for number, host in enumerate(trio, 1):
        configure(host, "auto", FIRST)
        assert host.kingctl("reload").returncode == 0
        until(lambda number=number: know_each_other(trio, trio[:number]), what=host.summary)  # type: ignore[misc] # a default
        if number == 1:
            until(lambda: any(map(silent, trio[1:])), what=host.summary)
    until(lambda: not any(map(silent, trio)), what=trio[0].summary)


def know_each_other(hosts: list[Host], some: list[Host]) -> bool:
    """Whether some of the hosts do. Nobody says meanwhile that the network is at fault."""
    claims = [problem for host in hosts for problem in silent(host)]
    assert all("it signs with a cluster key and this host does not" in claim for claim in claims), claims
    names = {host.name for host in some}
    return all({name for name, row in host.members().items() if row["state"] == "alive"} >= names for host in some)


def test_046_keyring(lan: Lan) -> None:
    """No key, permissive, enforce, another key, none: host by host, under traffic; nothing is refused, no role changes."""
    trio = [lan.host(name, priority=priority) for name, priority in (("a", 30), ("b", 20), ("c", 10))]
    lan.start()
    lan.until_led_by("a")
    lan.until_complete()
    steps: tuple[tuple[str, list[str]], ...] = (
        ("permissive", [FIRST]),
        ("enforce", [FIRST]),
        ("enforce", [FIRST, SECOND]),
        ("enforce", [SECOND, FIRST]),
        ("enforce", [SECOND]),
        ("permissive", [SECOND]),
        ("off", []),
    )
    began_ns = time.monotonic_ns()
    for mode, keys in steps:
        for host in trio:
            configure(host, mode, *keys)
            assert host.kingctl("reload").returncode == 0
            lan.steady(0.5)
        assert {host.status()["security"]["mode"] for host in trio} == {mode}
        assert {len(host.status()["security"]["keys"]) for host in trio} == {len(keys) if mode != "off" else 0}
    assert not lan.changes(began_ns)
    assert [refused(host) for host in trio] == [0, 0, 0]
