"""The datagrams on their way. All of them together have a number; what becomes of them is computed once and remembered."""

from kingd.explorer.local import Locals


class Network:
    def __init__(self, locals_: Locals) -> None:
        self._locals = locals_
        self._nets: list[tuple[int, ...]] = []
        self._numbers: dict[tuple[int, ...], int] = {}
        self._moved: dict[tuple[int, int, tuple[int, ...]], int] = {}
        self._pruned: dict[tuple[int, int, int], int] = {}

    def number(self, messages: tuple[int, ...]) -> int:
        """Of these, which are sorted."""
        number = self._numbers.setdefault(messages, len(self._nets))
        if number == len(self._nets):
            self._nets.append(messages)
        return number

    def messages(self, net: int) -> tuple[int, ...]:
        return self._nets[net]

    def move(self, net: int, taken: int, sent: tuple[int, ...]) -> int:
        """One datagram off the network (-1: none), others onto it."""
        key = (net, taken, sent)
        after = self._moved.get(key)
        if after is None:
            rest = [m for m in self._nets[net] if m != taken]
            after = self._moved[key] = self.number(tuple(sorted(rest + [m for m in sent if self._locals.carries(m)])))
        return after

    def prune(self, net: int, host: int, local: int) -> int:
        """Without the datagrams that cannot make a difference to this host in its state any more."""
        key = (net, host, local)
        after = self._pruned.get(key)
        if after is None:
            runs = self._locals.views[local].role is not None
            messages = self._locals.messages
            kept = tuple(
                m
                for m in self._nets[net]
                if messages[m].target != host or not runs or not self._locals.is_spent(local, m)
            )
            after = self._pruned[key] = self.number(kept)
        return after

    def age(self, net: int, now_us: int) -> int:
        """Without what has been on its way for too long."""
        messages = self._locals.messages
        return self.number(tuple(m for m in self._nets[net] if now_us <= messages[m].lost_us))
