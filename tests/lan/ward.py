"""A network of three hosts that agree, for tests that make it ill one way after the other."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.lan.host import Host, until
from tests.lan.network import Lan

_FIREWALL = "table inet doctor {{ chain {hook} {{ type filter hook {hook} priority 0; {rule}; }}; }}"


class Ward:
    """The hosts a, b and c; a leads."""

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
