"""The command `kingd`: options, configuration, then the runtime in the foreground (or detached, for hosts without
systemd).
"""

import logging
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from kingd import __version__
from kingd.config import DEFAULT_FILE, ConfigError, load
from kingd.daemon.lean import leave_out_openssl
from kingd.daemon.log import set_up

if TYPE_CHECKING:
    from kingd.daemon.guardian import Guardian
    from kingd.daemon.service import Settled

EX_CONFIG = 78  # sysexits(3); systemd does not restart us after it
EX_CANTCREAT = 73
DEFAULT_STATE = Path("/var/lib/kingd")

_log = logging.getLogger("kingd")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    type=click.Path(path_type=Path, readable=False),  # what is wrong with it is said with the other mistakes
    help=f"Configuration file.  [default: {DEFAULT_FILE}, if there is one]",
)
@click.option("--cluster", metavar="NAME", help="Name of the cluster to join.")
@click.option("--name", metavar="NAME", help="Name of this node.  [default: the short host name]")
@click.option("--priority", type=int, metavar="N", help="0..65535, higher leads; 0 never leads.")
@click.option(
    "--interface", "interfaces", multiple=True, metavar="NAME", help="Network interface to use; may be repeated."
)
@click.option("--port", type=int, metavar="PORT", help="UDP port.  [default: 5466]")
@click.option(
    "--state-dir", type=click.Path(path_type=Path), default=DEFAULT_STATE, show_default=True, help="Durable state."
)
@click.option("--socket", type=click.Path(path_type=Path), help="Control socket.  [default: /run/kingd/control.sock]")
@click.option("--voter", "voters", multiple=True, metavar="NAME", help="A host that votes; may be repeated.")
@click.option(
    "--log-level", type=click.Choice(["debug", "info", "warning", "error"]), help="Least important messages to log."
)
@click.option("--detach", is_flag=True, help="Run in the background (for hosts without systemd).")
@click.option("--pid-file", type=click.Path(path_type=Path), help="With --detach: where to write the process id.")
@click.option("--check-config", is_flag=True, help="Check the configuration and exit: 0 or 78.")
@click.version_option(__version__, "--version", message="kingd %(version)s")
@click.pass_obj
def main(
    guardian: "Guardian | None",
    /,
    *,
    config: Path | None,
    state_dir: Path,
    detach: bool,
    pid_file: Path | None,
    check_config: bool,
    **flags: object,
) -> None:
    """Agree with the other hosts of this LAN on who leads. Needs no configuration; ask with `kingctl leader`."""
    _until_the_loop_runs()
    if pid_file is not None and not detach:
        raise click.UsageError("--pid-file goes with --detach")
    if "" in sys.argv[1:]:
        raise click.UsageError("an option has an empty value")
    # From the folder that we are started in: a detached daemon leaves it, and reads the configuration again later.
    config, state_dir = config and config.absolute(), state_dir.absolute()
    flags["socket"] = _absolute(flags["socket"])
    overrides = _overrides(flags)
    leave_out_openssl()
    settled = _load_or_exit(config, overrides)
    if check_config:
        click.echo("the configuration is good")
        return
    with _in_background(_absolute(pid_file), state_dir, guardian) if detach else nullcontext():
        code = _run(settled, config, overrides, state_dir, guardian)
    logging.shutdown()
    os._exit(code)  # not sys.exit: that waits for every thread, and one may hang in DNS where the network has just gone


def _absolute(path: object) -> Path | None:
    return path.absolute() if isinstance(path, Path) else None


def _until_the_loop_runs() -> None:
    """A signal that comes early must not look like a crash: there is nothing to hand over or to read again yet."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(0))


def _overrides(flags: Mapping[str, object]) -> dict[str, object]:
    return {
        "cluster": flags["cluster"],
        "name": flags["name"],
        "priority": flags["priority"],
        "network.interfaces": flags["interfaces"] or None,
        "network.port": flags["port"],
        "control.socket": flags["socket"],
        "quorum.voters": flags["voters"] or None,
        "log.level": flags["log_level"],
    }


def _load(config: Path | None, overrides: Mapping[str, object]) -> "Settled":
    from kingd.daemon.keys import open_seal

    loaded = load(main=config or DEFAULT_FILE, explicit=config is not None, overrides=overrides)
    return loaded, open_seal(loaded.security)


def _load_or_exit(config: Path | None, overrides: Mapping[str, object]) -> "Settled":
    try:
        return _load(config, overrides)
    except ConfigError as error:
        _fail(EX_CONFIG, *error.problems)


def _fail(code: int, *sentences: str) -> NoReturn:
    for sentence in sentences:
        click.echo(f"kingd: {sentence}", err=True)
    sys.exit(code)


def _run(
    settled: "Settled",
    config: Path | None,
    overrides: Mapping[str, object],
    state_dir: Path,
    guardian: "Guardian | None",
) -> int:
    from kingd.control.listener import SocketBusy, SocketUnusable
    from kingd.daemon import runtime  # asyncio and all that: not for --version
    from kingd.daemon.store import StateBusy

    loaded, seal = settled
    set_up(loaded.log.level, loaded.log.format)
    _log.info(
        "kingd %s, cluster %s, node %s, priority %d, security %s",
        __version__, loaded.cluster, loaded.name, loaded.priority, seal.mode,
    )  # fmt: skip
    try:
        return runtime.run(loaded, seal, state_dir, reread=lambda: _load(config, overrides), guardian=guardian)
    except (StateBusy, SocketBusy, SocketUnusable) as error:
        _fail(EX_CANTCREAT, str(error))


@contextmanager
def _in_background(pid_file: Path | None, state_dir: Path, guardian: "Guardian | None") -> Iterator[None]:
    """Leave the terminal; what the daemon logs goes to a file in its state folder.

    What excludes a second daemon is the lock of the state folder, which ends with its process. A pid file does not: one
    that a killed daemon left is written over."""
    import daemon

    from kingd.daemon.store import StateBusy, Store

    try:
        Store.open(state_dir).close()  # while somebody can still be told
        log = (state_dir / "kingd.log").open("a", encoding="utf-8")
    except (StateBusy, OSError) as error:
        _fail(EX_CANTCREAT, str(error))
    kept = [guardian.pipe] if guardian is not None else []
    daemon.DaemonContext(
        working_directory="/", umask=0o022, stdout=log, stderr=log, signal_map={}, files_preserve=kept
    ).open()
    if pid_file is not None:
        pid_file.write_text(f"{os.getpid()}\n")
    try:
        yield
    finally:
        if pid_file is not None:
            pid_file.unlink(missing_ok=True)
