"""serve: HTTP for load balancers, Prometheus and people. What it takes is imported when it is used."""

import signal
import socket
import sys
from types import FrameType

import click

from kingd.cli.ask import Ask
from kingd.cli.exits import NO, OK, say

_ASK_S = 1.0  # a load balancer waits for two seconds, say, and then thinks the worse


def _address(_ctx: click.Context, _param: click.Parameter, value: str) -> tuple[str, int]:
    host, _, port = value.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isdecimal() or not 0 <= int(port) <= 65535:
        raise click.BadParameter(f"{value!r} is not an address and a port, as 127.0.0.1:9466 or [::]:9466")
    return host, int(port)


@click.command()
@click.option(
    "--listen",
    default="127.0.0.1:9466",
    show_default=True,
    callback=_address,
    metavar="ADDRESS:PORT",
    help="Where. [::]:9466 is every address of this host.",
)
@click.option(
    "--allow-host",
    "allowed",
    multiple=True,
    metavar="NAME",
    help="A further name by which it may be called; addresses, localhost and what `hostname` prints are allowed.",
)
@click.pass_obj
def serve(ask: Ask, listen: tuple[str, int], allowed: tuple[str, ...]) -> int:
    """Serve /leader, /healthz, /metrics and a status page at /, by HTTP, until it is ended.

    /leader: 200 on the leader, and 503 on every other host, or where it is not known: for load balancers. /healthz: 200, this
    process runs. /metrics: what `kingctl metrics` prints. /: a page, live, of who leads, what each member says, who led before,
    and what happened and why. Nothing can be changed here, and anybody who reaches it may read. kingd-web.service runs it.
    """
    from kingd.daemon import systemd
    from kingd.web.answers import Answers
    from kingd.web.server import WebServer

    # `main` has kingctl end with its reader. Here each client is one, and its going away ends its connection only.
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    answers = Answers(ask.path, timeout_s=min(ask.timeout_s, _ASK_S), hosts={*own_names(), *allowed})
    try:
        server = WebServer(listen, answers)
    except OSError as error:
        say(
            f"cannot listen at {listen[0]} port {listen[1]}: {error.strerror or error}; another one is chosen by --listen"
        )
        return NO
    signal.signal(signal.SIGTERM, _end)
    say(f"serving {server.url}")
    systemd.ready(f"serving {server.url}")
    with server:
        server.serve()
    return OK


def own_names() -> set[str]:
    """Without a question to the resolver, which may take long to say nothing."""
    name = socket.gethostname()
    return {name, name.partition(".")[0]}


def _end(_number: int, _frame: FrameType | None) -> None:
    sys.exit(OK)


COMMANDS: list[click.Command] = [serve]
