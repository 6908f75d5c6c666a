"""Quorum mode's two promises, looked at from outside and at every real instant (docs/quorum.md).

Q1   no two sessions answer "leader" at one instant
Q2   the terms of those who do strictly increase: no term is led twice

Between two entries into a core time can only take an answer away (a lease ends), and an entry changes what one node
says. So it is enough to ask after each entry: the node that was entered, and if it says that it leads, all others at the
same real instant, each by its own clock. A stopped process is asked too: it would answer so once it runs."""

from kingd.core.wire.message import NO_BALLOT, Role
from kingd.sim.host import Host
from kingd.sim.outcome import SafetyError


class Exclusion:
    def __init__(self, hosts: list[Host]) -> None:
        self._hosts = hosts
        self._newest = NO_BALLOT

    def after(self, host: Host, now_us: int) -> None:
        """Something has entered the core of `host`."""
        core = host.core
        if core is None or core.node.role is not Role.LEADER or not core.node.in_quorum_mode:
            return
        rivals = [h for h in self._hosts if h is not host and h.role is Role.LEADER]
        ballot = core.node.ballot
        if (not rivals and ballot == self._newest) or not says_it_leads(host, now_us):
            return
        for rival in rivals:
            if says_it_leads(rival, now_us):
                assert rival.core is not None
                raise SafetyError(f"Q1: {host.name} leads {ballot} while {rival.name} leads {rival.core.node.ballot}")
        if ballot != self._newest:
            if ballot.term <= self._newest.term:
                raise SafetyError(f"Q2: {host.name} leads {ballot} after {self._newest}")
            self._newest = ballot


def says_it_leads(host: Host, now_us: int) -> bool:
    """What its users are answered at this real instant."""
    return host.core is not None and host.core.status(host.clock.read(now_us)).role is Role.LEADER
