"""doctor: what is wrong between the hosts of the cluster, where, and what to do. docs/doctor.md."""

import contextlib
import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from kingd.cli.ask import Ask, duration
from kingd.cli.exits import NO, NOT_RUNNING, OK, UNKNOWN, attempt, say
from kingd.control.answer import flag, number, rows, text
from kingd.control.client import CallFailed, DaemonNotRunning, JsonObject, call

if TYPE_CHECKING:
    from kingd.doctor.facts import Facts
    from kingd.doctor.finding import Finding
    from kingd.doctor.tap import Tap

_LOOK_EVERY_S = 0.1
_HOUR_S = 3600


@click.command()
@click.option(
    "--for",
    "for_s",
    default="0",
    callback=duration,
    metavar="T",
    help="Go on for so long: a switch may forget a group after minutes (6m shows it). An hour at most.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_obj
def doctor(ask: Ask, for_s: float, as_json: bool) -> int:
    """Try each path to and from each member, and say what is wrong and what to do.

    For root and the group kingd. Exit code 0: healthy; 1: something was found; 3: the daemon is not running; 4: nothing was
    found, but something could not be examined.
    """
    if math.isinf(for_s) or for_s > _HOUR_S:
        raise click.UsageError("--for is an hour at most")
    return attempt(lambda: _examine(ask, for_ms=round(for_s * 1000), as_json=as_json))


def _examine(ask: Ask, *, for_ms: int, as_json: bool) -> int:
    from kingd.doctor import facts, local
    from kingd.doctor.diagnosis import diagnose

    before = local.rp_drops()
    with contextlib.ExitStack() as stack:
        tap = _tap(stack)
        try:
            run = text(call(ask.path, "Examine", {"for_ms": for_ms}, timeout_s=ask.timeout_s), "run")
        except DaemonNotRunning as error:
            return _tell(facts.Facts(name=""), [_not_running(ask, str(error))], as_json=as_json, code=NOT_RUNNING)
        except CallFailed as error:
            if error.name != "org.kingd.NotAuthorized":
                raise
            return _tell(facts.Facts(name=""), [_not_allowed(str(error))], as_json=as_json, code=NO)
        survey = call(ask.path, "Survey", timeout_s=ask.timeout_s)
        examined = _wait(ask, run, tap)
        seen = tap.seen if tap is not None else None
    status = call(ask.path, "Status", timeout_s=ask.timeout_s)
    node = status.get("node")
    own = node.get("address") if isinstance(node, dict) else None
    read = facts.read(
        status,
        survey,
        examined,
        local.gather(
            [facts.host_of(text(peer, "address")) for peer in rows(examined, "peers")],
            port=number(examined, "port"),
            own=str(own) if own else None,
            rp_drops_before=before,
            seen=seen,
        ),
    )
    return _tell(read, diagnose(read), as_json=as_json)


def _tap(stack: contextlib.ExitStack) -> "Tap | None":
    from kingd.doctor.tap import Tap

    try:
        return stack.enter_context(contextlib.closing(Tap()))
    except OSError:  # only root may look; what depends on it is not said then
        return None


def _wait(ask: Ask, run: str, tap: "Tap | None") -> JsonObject:
    import time

    while True:
        examined = call(ask.path, "Examined", {"run": run}, timeout_s=ask.timeout_s)
        if flag(examined, "done"):
            return examined
        if tap is None:
            time.sleep(_LOOK_EVERY_S)
        else:
            tap.read(_LOOK_EVERY_S)


def _tell(facts: "Facts", found: "Sequence[Finding]", *, as_json: bool, code: int | None = None) -> int:
    from kingd.doctor import show
    from kingd.doctor.finding import Severity

    print(json.dumps(show.as_json(facts, found)) if as_json else "\n".join(show.lines(facts, found)))
    severities = {each.severity for each in found}
    if code is not None:
        return code
    return NO if Severity.FINDING in severities else UNKNOWN if Severity.UNKNOWN in severities else OK


def _not_running(ask: Ask, why: str) -> "Finding":
    from kingd.control.target import unit
    from kingd.doctor.finding import Finding

    say(why)
    return Finding(
        code="not-running",
        what="no daemon runs here",
        evidence=f"nobody answers at {ask.path}",
        remedy=f"systemctl start {unit(ask.path)}",
    )


def _not_allowed(why: str) -> "Finding":
    from kingd.doctor.finding import Finding

    return Finding(
        code="no-permission",
        what="you may not have the other hosts examined",
        evidence=why,
        remedy="sudo kingctl doctor",
    )


COMMANDS: list[click.Command] = [doctor]
