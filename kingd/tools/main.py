"""`kingctl sniff` and `kingctl decode`, as kingd/cli/tools.py calls them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kingd.cli.exits import NO, OK, say
from kingd.config import ConfigError, Security
from kingd.control.answer import rows, text
from kingd.control.client import KingdError, call
from kingd.core.wire.seal import Seal, cluster_id
from kingd.daemon.keys import open_seal
from kingd.tools.datagram import Eyes, read
from kingd.tools.frames import PORT, CaptureError, CaptureFile, Skipped, Source
from kingd.tools.live import Interfaces
from kingd.tools.show import Report
from kingd.tools.words import Names


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What both verbs have."""

    as_json: bool = False
    is_quiet: bool = False
    count: int | None = None  # datagrams
    cluster: str | None = None
    key_file: Path | None = None
    port: int = PORT


def decode(path: str, options: Options) -> int:
    names = Names()
    if path != "-":
        _learn(CaptureFile(path, port=options.port), names)
    return _run(CaptureFile(path, port=options.port), names, options)


def sniff(options: Options, *, interface: str | None, written: str | None, socket: str, timeout_s: float) -> int:
    try:
        source = Interfaces(interface, port=options.port, written=written)
    except CaptureError as error:
        say(str(error))
        return NO
    say(f"listening {'on all interfaces' if interface is None else f'on {interface}'}, until Ctrl-C")
    try:
        return _run(source, Names(_members(socket, timeout_s)), options)
    finally:
        lost = source.lost()
        if lost:
            say(f"{lost} came faster than they could be read, and are missing")
        source.close()


def _run(source: Source, names: Names, options: Options) -> int:
    cluster = None if options.cluster is None else cluster_id(options.cluster)
    try:
        eyes = Eyes(cluster=cluster, seal=_seal(options))
    except ConfigError as error:
        for problem in error.problems:
            say(problem)
        return NO
    report = Report(_print, names=names, as_json=options.as_json, is_quiet=options.is_quiet, cluster=cluster)
    count, code = 0, OK
    try:
        for udp in source:
            report.add(eyes.look(udp))
            count += 1
            if count == options.count:
                break
    except CaptureError as error:
        say(str(error))
        code = NO
    except KeyboardInterrupt:  # the usual end of sniff
        pass
    report.end()
    if count or code == OK:
        _sum_up(count, source.skipped)
    return code


def _print(line: str) -> None:
    print(line, flush=True)  # noqa: T201


def _sum_up(count: int, skipped: Skipped) -> None:
    others = ", ".join(f"{number} {kind}" for kind, number in skipped.counts.most_common())
    say(f"{count} datagram{'' if count == 1 else 's'}" + (f"; passed over: {others}" if others else ""))


def _learn(source: CaptureFile, names: Names) -> None:
    """A host says its name once a second or less; who reads a file need not wait for it."""
    try:
        for udp in source:
            datagram = read(udp.payload)
            if datagram is not None:
                names.learn(datagram)
    except CaptureError:
        pass  # it comes again


def _seal(options: Options) -> Seal | None:
    return None if options.key_file is None else open_seal(Security(key_file=options.key_file, mode="enforce"))


def _members(socket: str, timeout_s: float) -> Mapping[int, str]:
    """The names that the daemon of this host knows, if there is one."""
    try:
        found = rows(call(socket, "Members", timeout_s=min(timeout_s, 1.0)), "members")
        return {int(text(row, "id"), 16): text(row, "name") for row in found}
    except (KingdError, ValueError):
        return {}
