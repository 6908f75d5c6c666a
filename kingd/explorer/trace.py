"""A violation as people read it: one line for each thing that happened, and how every host stands afterwards."""

from collections.abc import Iterator

from kingd.core.wire.message import NO_BALLOT, Ballot, Claim, Datagram, Grant, Refuse, Resign
from kingd.explorer.frozen import thaw
from kingd.explorer.host import place_of, word
from kingd.explorer.scope import TICK_US, Fault
from kingd.explorer.search import Found
from kingd.explorer.world import TIME, Action, State, World


def lines(world: World, found: Found) -> Iterator[str]:
    """From the start of the scope to the violation."""
    for action, state in found.trace:
        yield f"{(state[0] - world.begin_us) / TICK_US:5.2f}  {_what(world, action):64} | {_hosts(world, state)}"
    yield str(found.wrong)


def _what(world: World, action: Action) -> str:
    host, given = action
    if action == TIME:
        return "time goes on"
    name = world.scope.hosts[host].name
    if isinstance(given, Fault):
        return f"{name}: {given.kind}{'' if given.value is None else f' {given.value}'}"
    return (
        f"{name} <- {_said(world, world.locals.messages[given].datagram)}"
        if isinstance(given, int)
        else f"{name}: {given}"
    )


def _said(world: World, datagram: Datagram) -> str:
    body, header = datagram.body, datagram.header
    what = f"{world.scope.hosts[place_of(header.session)].name}.{header.sequence} {word(datagram)}"
    match body:
        case Claim():
            return (
                f"{what} {body.term}{' with a ticket for ' + _ballot(world, body.ticket.ballot) if body.ticket else ''}"
            )
        case Grant():
            return f"{what} {body.term}"
        case Refuse():
            return f"{what} {body.term}: {_ballot(world, body.holder)} {'leads' if body.led else 'has it'}"
        case Resign():
            to = f" to {_name(world, body.successor)}" if body.successor else ""
            return f"{what} {_ballot(world, body.ballot)}{to}"
        case _:
            return f"{what} of {_ballot(world, header.leader)}"


def _hosts(world: World, state: State) -> str:
    return "   ".join(_host(world, state, host, local) for host, local in enumerate(state[1]))


def _host(world: World, state: State, index: int, local: int) -> str:
    host = world.locals.hosts[local]
    if host.core is None:
        return f"{host.settings.name} is down"
    node = thaw(host.core).node
    live = (node.promise.until_us - world.clocks.us(index, state[0])) / TICK_US
    until = "" if live <= 0 else " for good" if live > 1e6 else f" for {live:.3g}"
    led = f" leads {_ballot(world, node.ballot)}" if node.ballot != NO_BALLOT else ""
    return f"{host.settings.name} {node.role.name.lower()}{led}, promised {_ballot(world, node.promise.floor)}{until}"


def _ballot(world: World, ballot: Ballot) -> str:
    return f"{ballot.term}{_name(world, ballot.node)}" if ballot.node else str(ballot.term)


def _name(world: World, node: int) -> str:
    return world.scope.hosts[node % 16 - 1].name if node else "-"
