"""doctor: what is wrong between the hosts of the cluster, where, and what to do. docs/doctor.md."""

import contextlib
import dataclasses
import json
import math
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from kingd.cli.ask import Ask, duration
from kingd.cli.exits import NO, NOT_RUNNING, OK, UNKNOWN, attempt, say
from kingd.control.answer import flag, number, rows, text
from kingd.control.client import CallFailed, CallTimedOut, DaemonNotRunning, JsonObject, SocketForbidden, call

if TYPE_CHECKING:
    from kingd.doctor.facts import Facts
    from kingd.doctor.finding import Finding
    from kingd.doctor.tap import Tap

_LOOK_EVERY_S = 0.1
_HOUR_S = 3600
_SILENT_S = 1.0  # a daemon that answers nobody for so long is not only slow: it answers between two heartbeats


@click.command()
@click.option(
    "--for",
    "for_s",
    callback=duration,
    metavar="T",
    help="Go on for so long: a switch may forget a group after minutes (6m shows it). An hour at most; the time "
    "limit comes on top of it.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_obj
def doctor(ask: Ask, for_s: float | None, as_json: bool) -> int:
    """Try each path to and from each member, and say what is wrong and what to do.

    For root and the group kingd. Exit code 0: healthy; 1: something was found; 3: the daemon is not running; 4: nothing was
    found, but something could not be examined.
    """
    if for_s is not None and not 0.001 <= for_s <= _HOUR_S:
        raise click.UsageError(
            "--for is an hour at most, and more than 0: without it the examination is as short as can be"
        )
    return attempt(lambda: _examine(ask, for_ms=round((for_s or 0) * 1000), as_json=as_json), otherwise=UNKNOWN)


def _examine(ask: Ask, *, for_ms: int, as_json: bool) -> int:
    from kingd.doctor import local
    from kingd.doctor.diagnosis import diagnose

    before = local.rp_drops()
    asking = _Asking(ask.path, ask.timeout_s)
    try:
        facts = _facts(asking, for_ms, rp_drops_before=before)
    except DaemonNotRunning as error:
        say(str(error))
        is_forbidden = isinstance(error, SocketForbidden)
        finding = _forbidden(str(error)) if is_forbidden else _not_running(ask)
        return _tell_alone(finding, before, as_json=as_json, code=NOT_RUNNING)
    except CallTimedOut as error:
        if asking.waits_s < _SILENT_S:  # so short a limit proves nothing
            raise
        say(str(error))
        return _tell_alone(_silent(ask, asking.waits_s), before, as_json=as_json, code=NO)
    except CallFailed as error:
        if error.name != "org.kingd.NotAuthorized":
            raise
        return _tell_alone(_forbidden(str(error)), before, as_json=as_json, code=NO)
    return _tell(facts, diagnose(facts), as_json=as_json)


class _Asking:
    """The calls of one examination, all together within one limit. `waits_s`: how long the last one may take."""

    def __init__(self, path: str, timeout_s: float) -> None:
        self._path = path
        self._end_s = time.monotonic() + timeout_s
        self.waits_s = 0.0

    def goes_on(self, for_s: float) -> None:
        """The examination lasts so long because that is wished, by whoever began it."""
        self._end_s += for_s

    def call(self, method: str, parameters: JsonObject | None = None, *, at_most_s: float = math.inf) -> JsonObject:
        """All that `call` of the client raises."""
        self.waits_s = min(self._end_s - time.monotonic(), at_most_s)
        if self.waits_s <= 0:
            raise CallTimedOut("the examination was not over in time: give it more with --timeout (it takes some 2 s)")
        return call(self._path, method, parameters, timeout_s=self.waits_s)


def _facts(asking: _Asking, for_ms: int, *, rp_drops_before: int) -> "Facts":
    from kingd.doctor import facts, local

    with contextlib.ExitStack() as stack:
        tap = _tap(stack)
        begun = asking.call("Examine", {"for_ms": for_ms}, at_most_s=_SILENT_S)
        asking.goes_on(number(begun, "for_ms") / 1000)
        survey = asking.call("Survey")
        examined = _wait(asking, text(begun, "run"), tap)
        seen = tap.seen if tap is not None else None
    status = asking.call("Status")
    node = status.get("node")
    own = node.get("address") if isinstance(node, dict) else None
    return facts.read(
        status,
        survey,
        examined,
        local.gather(
            [facts.host_of(text(peer, "address")) for peer in rows(examined, "peers")],
            port=number(examined, "port"),
            own=str(own) if own else None,
            rp_drops_before=rp_drops_before,
            seen=seen,
        ),
    )


def _tap(stack: contextlib.ExitStack) -> "Tap | None":
    from kingd.doctor.tap import Tap

    try:
        return stack.enter_context(contextlib.closing(Tap()))
    except OSError:  # only root may look; what depends on it is not said then
        return None


def _wait(asking: _Asking, run: str, tap: "Tap | None") -> JsonObject:
    while True:
        examined = asking.call("Examined", {"run": run})
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


def _tell_alone(finding: "Finding", rp_drops_before: int, *, as_json: bool, code: int) -> int:
    """That the daemon tells nothing, and what is seen of this host without it."""
    from kingd.doctor import judges_host, local
    from kingd.doctor.facts import Facts

    facts = Facts(name="")
    here = local.gather([], port=facts.port, own=None, rp_drops_before=rp_drops_before, seen=None)
    facts = dataclasses.replace(facts, local=here)
    return _tell(facts, [finding, *judges_host.judge(facts)], as_json=as_json, code=code)


def _not_running(ask: Ask) -> "Finding":
    from kingd.control.target import unit
    from kingd.doctor.finding import Finding

    return Finding(
        code="not-running",
        what="no daemon runs here",
        evidence=f"nobody answers at {ask.path}",
        remedy=f"systemctl start {unit(ask.path)}",
    )


def _silent(ask: Ask, waited_s: float) -> "Finding":
    from kingd.control.target import unit
    from kingd.doctor.finding import Finding

    return Finding(
        code="loop-stall",
        what="kingd runs and does not answer",
        evidence=f"{ask.path} can be called, and no answer came within {waited_s:.1f} s",
        remedy=f"systemctl restart {unit(ask.path)}",
    )


def _forbidden(why: str) -> "Finding":
    from kingd.doctor.finding import Finding

    return Finding(
        code="no-permission",
        what="you may not have the other hosts examined",
        evidence=why,
        remedy="sudo kingctl doctor",
    )


COMMANDS: list[click.Command] = [doctor]
