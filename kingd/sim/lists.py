"""Lists of voters, as hosts of a simulated cluster have them: which is in force, and who remembers what it promised by it."""

from collections.abc import Sequence

from kingd.core.rules.majority import majority
from kingd.core.settings import Voters
from kingd.core.wire.voter_list import NO_GENERATION, Generation
from kingd.sim.host import Host


def in_force(hosts: Sequence[Host]) -> tuple[str, ...]:
    """The list of the newest generation that one of its voters has. Who has never promised has only its file's, unless it took
    one."""

    def weight(host: Host) -> tuple[bool, bool, Generation]:
        voters = _list_of(host)
        return host.name in voters.names, host.hold_us > 0 or voters.generation > NO_GENERATION, voters.generation

    return _list_of(max(hosts, key=weight)).names


def have_gone_back(hosts: Sequence[Host]) -> bool:
    """One of these has a list of a newer generation than the list that its voters have."""
    lists = [_list_of(h) for h in hosts]
    present = in_force(hosts)
    newest = max((each.generation for each in lists if each.names == present), default=NO_GENERATION)
    return any(each.generation > newest for each in lists)


def is_set_up_wrong(hosts: Sequence[Host]) -> bool:
    """A voter of the list in force has begun anew with another one: it votes by neither until somebody gives it that list."""
    present = in_force(hosts)
    return any(
        h.name in present
        and h.hold_us == 0
        and _list_of(h).names != present
        and _list_of(h).generation == NO_GENERATION
        for h in hosts
    )


def have_one_list(hosts: Sequence[Host], names: tuple[str, ...]) -> bool:
    """These names, in one generation, whoever is off or cut off."""
    lists = {_list_of(h) for h in hosts}
    return len(lists) == 1 and lists.pop().names == names


def may_begin_with(hosts: Sequence[Host], host: Host, voters: tuple[str, ...]) -> bool:
    """A host without state believes its file. Who sets one up gives it the list that the others have, and not the one
    that was to come: with its own name alone it would lead beside them."""
    return host.name not in voters or is_remembered(hosts, host, voters)


def is_remembered(hosts: Sequence[Host], host: Host, voters: tuple[str, ...]) -> bool:
    """Without that host, enough of these voters know what they promised that any majority has one of them."""
    remember = [h for h in hosts if h.name in voters and h.hold_us > 0 and h is not host]
    return len(remember) >= len(voters) - majority(len(voters)) + 1


def all_lists(hosts: Sequence[Host]) -> set[tuple[str, ...]]:
    """Each that somebody has, or wants."""
    return {_list_of(h).names for h in hosts} | {h.settings.voters for h in hosts}


def _list_of(host: Host) -> Voters:
    return host.core.node.voters if host.core is not None else host.voters or Voters(host.settings.voters)
