"""CLUSTER KEY in kingd(8), word by word: what an operator does on one host, and on each in turn."""

from collections.abc import Callable

from tests.system.lab import Host

_PUT = "install -m 0640 -o root -g kingd /dev/stdin /etc/kingd/cluster.key"


def on_each(hosts: list[Host], *changes: Callable[[Host], object], mode: str, keys: int) -> None:
    """`mode` and how many `keys`: what each says of itself after it."""
    for host in hosts:
        for change in changes:
            change(host)
        assert host.run("kingctl check-config && systemctl reload kingd") == "ok\n"
        security = host.status()["security"]
        assert isinstance(security, dict)
        assert (security["mode"], len(security["keys"])) == (mode, keys)


def made(host: Host) -> str:
    host.run(f"kingctl keygen | {_PUT}")
    return host.run("cat /etc/kingd/cluster.key")


def with_a_second_one(host: Host) -> tuple[str, str]:
    host.run("kingctl keygen >>/etc/kingd/cluster.key")
    old, new = host.run("cat /etc/kingd/cluster.key").splitlines(keepends=True)
    return old, new


def put(lines: str) -> Callable[[Host], object]:
    return lambda host: host.run(f"{_PUT} <<END\n{lines}END")


def make_permissive(host: Host) -> None:
    host.write("/etc/kingd/conf.d/key.toml", '[security]\nmode = "permissive"\n')


def enforce(host: Host) -> None:
    host.run("rm /etc/kingd/conf.d/key.toml")


def remove(host: Host) -> None:
    host.run("rm /etc/kingd/cluster.key /etc/kingd/conf.d/key.toml")


def refused(host: Host) -> set[str]:
    rejected = host.status()["rejected"]
    assert isinstance(rejected, dict)
    return rejected.keys() & {"bad-key", "unsigned", "damaged"}
