"""kingctl lab: a cluster of real daemons on this machine's loopback, for trying things out (kingd/lab/)."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import click

from kingd.cli.ask import duration
from kingd.cli.exits import NO, OK, say
from kingd.cli.text import age, table, terminal_width
from kingd.lab.folder import DEFAULT_LAB, LabError

if TYPE_CHECKING:
    from kingd.lab.cluster import Cluster

_Verb = TypeVar("_Verb", bound=Callable[..., int])
_TABLE_MAX = 30  # daemons: a longer table scrolls out of sight
_TELL_EVERY = 50
_ANSWER_S, _END_S = 1.0, 5.0


@dataclass
class _Lab:
    """Which one, and how long is waited; None: for as long as it may well take."""

    name: str
    timeout_s: float | None = None

    def open(self) -> "Cluster":
        from kingd.lab.cluster import Cluster  # 12 ms that no other verb of kingctl needs

        return Cluster.open(self.name)

    def wait_s(self, nodes: int) -> float:
        """For so many daemons to name a leader."""
        return 10 + nodes / 5 if self.timeout_s is None else self.timeout_s


_json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object.")


class _LabGroup(click.Group):
    """Turns the lab's own mistakes into a sentence and exit code 1."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except LabError as error:
            say(str(error))
            return NO


@click.group(cls=_LabGroup, no_args_is_help=False)
@click.option(
    "--name", "lab_name", metavar="LAB", default=DEFAULT_LAB, show_default=True, help="Which lab, if there are several."
)
@click.option("--timeout", "timeout_s", metavar="T", callback=duration, help="How long a verb waits for the daemons.")
@click.pass_context
def lab(ctx: click.Context, lab_name: str, timeout_s: float | None) -> None:
    """A cluster of N real daemons on this machine's loopback, for trying things out.

    Its folder: $KINGD_LAB_DIR, else $XDG_RUNTIME_DIR/kingd-lab, else /tmp/kingd-lab-UID.
    """
    ctx.obj = _Lab(lab_name, timeout_s)


def _name_of(ctx: click.Context, _param: click.Parameter, value: str | None) -> None:
    if value is not None:
        ctx.obj.name = value


def _timeout_of(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    timeout_s = duration(ctx, param, value)
    if timeout_s is not None:
        ctx.obj.timeout_s = timeout_s


def _timeout_option(waits_for: str) -> Callable[[_Verb], _Verb]:
    """`waits_for`: what, and how long without the option."""
    return click.option(
        "--timeout", metavar="T", expose_value=False, callback=_timeout_of, help=f"How long to wait for {waits_for}."
    )


_lab_option = click.option("--name", metavar="LAB", expose_value=False, callback=_name_of, help="Which lab.")


@lab.command()
@click.option("--nodes", type=click.IntRange(1, 450), default=3, show_default=True, metavar="N", help="box1 to boxN.")
@click.option("--profile", type=click.Choice(["lan", "fast", "wifi"]), default="lan", show_default=True, help="Timing.")
@_timeout_option("all to name a leader (default: 10s, and 1s for five of them)")
@_lab_option
@click.pass_obj
def start(lab: _Lab, nodes: int, profile: str) -> int:
    """Start box1 to boxN. box1 has the highest priority, so it leads; boxN has 100."""
    from kingd.lab.cluster import Cluster

    started_s = time.monotonic()
    cluster = Cluster.create(lab.name, nodes=nodes, profile=profile)
    try:
        with _progress(nodes) as progress:
            cluster.start_all(progress)
            cluster.wait_until_ready(timeout_s=lab.wait_s(nodes), progress=progress)
    except BaseException:
        cluster.stop()
        raise
    took_s = time.monotonic() - started_s
    if nodes <= _TABLE_MAX:
        click.echo(_ps_table(cluster))
    say(f"{nodes} daemons run after {age(took_s * 1000)}; try: kingctl lab attach box2")
    return OK


@contextmanager
def _progress(nodes: int) -> Iterator[Callable[[int], None]]:
    """To be told how many name a leader: a bar on a terminal, else a line now and then, if it may take long."""
    if nodes <= _TABLE_MAX:
        yield lambda _ready: None
    elif sys.stderr.isatty():
        with click.progressbar(length=nodes, label="daemons that name a leader", file=sys.stderr) as bar:
            yield lambda ready: bar.update(max(0, ready - bar.pos))
    else:
        yield _Teller(nodes).tell


class _Teller:
    def __init__(self, nodes: int) -> None:
        self._nodes = nodes
        self._next = _TELL_EVERY

    def tell(self, ready: int) -> None:
        if ready >= self._next:
            self._next = ready - ready % _TELL_EVERY + _TELL_EVERY
            say(f"{ready} of {self._nodes} daemons name a leader")


@lab.command()
@_json_option
@_timeout_option("the answer of each (default: 1s)")
@_lab_option
@click.pass_obj
def ps(lab: _Lab, as_json: bool) -> int:
    """The lab's daemons: pid, role, and whom each calls leader."""
    cluster = lab.open()
    answer_s = _ANSWER_S if lab.timeout_s is None else lab.timeout_s
    if as_json:
        nodes = [row.as_json() for row in cluster.rows(answer_s)]
        click.echo(json.dumps({"version": 1, "lab": cluster.name, "nodes": nodes}))
    else:
        click.echo(_ps_table(cluster, answer_s))
    return OK


@lab.command()
@click.argument("nodes", metavar="NAME...", nargs=-1, required=True)
@click.option("--stop", "politely", is_flag=True, help="SIGTERM instead of SIGKILL: a planned stop.")
@_timeout_option("them to have ended (default: 5s)")
@_lab_option
@click.pass_obj
def kill(lab: _Lab, nodes: tuple[str, ...], politely: bool) -> int:
    """End daemons at once (SIGKILL): the crash."""
    lab.open().kill(*nodes, politely=politely, wait_s=_END_S if lab.timeout_s is None else lab.timeout_s)
    return OK


@lab.command("start-one")
@click.argument("nodes", metavar="NAME...", nargs=-1, required=True)
@_timeout_option("them to name a leader (default: 10s, and 1s for five of them)")
@_lab_option
@click.pass_obj
def start_one(lab: _Lab, nodes: tuple[str, ...]) -> int:
    """Start daemons that were killed or stopped, with their old state."""
    cluster = lab.open()
    wait_s = lab.wait_s(len(nodes))
    cluster.start(*nodes, timeout_s=wait_s)
    cluster.wait_until_ready(*nodes, timeout_s=wait_s)
    return OK


@lab.command(context_settings={"ignore_unknown_options": True})
@click.argument("node", metavar="NAME")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@_lab_option
@click.pass_obj
def attach(lab: _Lab, node: str, command: tuple[str, ...]) -> int:
    """A shell in which kingctl speaks to NAME's daemon. With COMMAND: only run that there."""
    from kingd.lab.console import attach as run

    return run(lab.open().node(node), list(command))


@lab.command()
@_timeout_option("them to end before they are killed (default: 5s)")
@_lab_option
@click.pass_obj
def stop(lab: _Lab) -> int:
    """End all daemons of the lab, and remove its folder."""
    lab.open().stop(wait_s=_END_S if lab.timeout_s is None else lab.timeout_s)
    return OK


@lab.command()
@click.option("--nodes", type=click.IntRange(3, 9), default=3, show_default=True, metavar="N", help="box1 to boxN.")
def demo(nodes: int) -> int:
    """The whole story in half a minute: who leads, kill it, who leads now and how long that took, and back."""
    from kingd.lab.demo import play

    return play(nodes)


def _ps_table(cluster: "Cluster", answer_s: float = _ANSWER_S) -> str:
    header = ("NAME", "PRIORITY", "PID", "STATE", "ROLE", "SAYS LEADER", "TERM")
    rows = [
        (row.name, row.priority, row.pid, row.state, row.role, row.leader, row.term) for row in cluster.rows(answer_s)
    ]
    return table(header, rows, spare=("PRIORITY", "PID", "TERM"), width=terminal_width())
