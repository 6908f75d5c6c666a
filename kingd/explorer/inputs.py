"""What goes into a host, and how it enters its core: a datagram, its timer, its disk, an order, a sign of a death."""

from dataclasses import replace

from kingd.core.effect import Effect, EventKind, Persist
from kingd.core.election import Core
from kingd.core.problems import StepDownError
from kingd.core.rules import contact, following, proof
from kingd.core.timing import NEVER
from kingd.core.wire.message import Datagram, Reason
from kingd.explorer.host import endpoint, place_of
from kingd.explorer.scope import TICK_US, Fault

Input = int | str | Fault
"""A message's number; "timer", "disk", "start", "announce", "sweep" or "met"; a fault."""


def enter(core: Core, given: Input, cause: Datagram | None, disk: Persist, now_us: int) -> list[Effect]:
    """`cause`: the datagram, where the input is one; `disk`: what it holds by now. Out: what the core wants done."""
    if cause is not None:
        return core.receive(cause, source=endpoint(place_of(cause.header.session)), now_us=now_us)
    if given == "timer":
        return core.tick(now_us=now_us)
    if given == "disk":
        return core.persisted(disk.ceiling, hold_us=disk.hold_us, in_force=disk.voters, now_us=now_us)
    if given == "announce":
        core.node.rounds.announce_at_us = NEVER if core.node.namesake.is_there else now_us
        return core.tick(now_us=now_us)
    if given == "sweep":
        core.node.rounds.sweep_at_us = now_us
        return core.tick(now_us=now_us)
    assert isinstance(given, Fault)
    return _command(core, given, now_us)


def _command(core: Core, fault: Fault, now_us: int) -> list[Effect]:
    value = fault.value
    match fault.kind:
        case "stop":
            return core.stop(now_us=now_us)
        case "priority":
            assert isinstance(value, int)
            return core.set_priority(value, now_us=now_us)
        case "step-down":
            assert value is None or isinstance(value, str)
            try:
                return core.step_down(to=value, for_us=0, now_us=now_us)
            except StepDownError:
                return []
        case "reload":
            assert isinstance(value, tuple)
            effects = core.tick(now_us=now_us)
            if core.refusal(value) is None:
                effects += core.configure(replace(core.node.settings, voters=value), now_us=now_us)
            return effects
        case "timeout":
            assert isinstance(value, int)
            timing = replace(core.node.timing, leader_timeout_us=value * TICK_US)
            return core.configure(replace(core.node.settings, timing=timing), now_us=now_us)
        case "believe":
            return _believe(core, now_us)
        case "start" | "crash" | "restart" | "forget" | "repeat" | "stray" | "poison":
            raise AssertionError(fault)


def _believe(core: Core, now_us: int) -> list[Effect]:
    """What any sign of its leader's death comes to: an obituary, a refused connection, a new session of its host."""
    effects = core.tick(now_us=now_us)
    leader = core.node.followed()
    if leader is not None:
        contact.declare_gone(core.node, leader, EventKind.MEMBER_DEAD, Reason.LEADER_CRASHED)
        following.leader_gone(core.node, Reason.LEADER_CRASHED, proof.of_return(core.node))
    return effects + core.tick(now_us=now_us)
