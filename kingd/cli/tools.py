"""sniff and decode: kingd's datagrams in words. How that is done is in kingd/tools, a Debian package of its own (kingd-tools),
for it needs scapy; it is imported when one of the two is used."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from kingd.cli.ask import Ask
from kingd.cli.exits import NO, say

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    Verb = TypeVar("Verb", bound=Callable[..., int])

_PORT = 5466


def _both(verb: Verb) -> Verb:
    options = [
        click.option("--json", "as_json", is_flag=True, help="One JSON object a line, one line a datagram."),
        click.option("--quiet", "-q", "is_quiet", is_flag=True, help="Leave out, and count, what says nothing new."),
        click.option("--count", "-c", type=click.IntRange(1), metavar="N", help="End after N datagrams."),
        click.option("--cluster", metavar="NAME", help="Mark what belongs to another cluster than NAME."),
        click.option(
            "--key-file",
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="Mark what none of the keys in FILE has signed.",
        ),
        click.option(
            "--port",
            type=click.IntRange(1, 65535),
            default=_PORT,
            show_default=True,
            metavar="P",
            help="Whatever uses this UDP port is meant to be kingd's. Its datagrams are found on other ports as well.",
        ),
    ]
    return functools.reduce(lambda decorated, option: option(decorated), reversed(options), verb)


@click.command()
@click.option("--interface", "-i", metavar="I", help="Only what passes this one. Default: all that are there now.")
@click.option("--write", "-w", "written", metavar="FILE", help="Record it as well, as a pcap file.")
@_both
@click.pass_obj
def sniff(ask: Ask, /, interface: str | None, written: str | None, **options: object) -> int:
    """What kingd's hosts say to each other, as it passes this host's interfaces, until Ctrl-C. Needs root.

    A line a datagram: time, sender > receiver, the sender's name, type, term, and what it says in words. What is said from the
    first sign of a change of leadership to the first heartbeat of the new leader has a | in front. REJECTED is what a daemon
    drops, with the reason (see REFUSED DATAGRAMS). docs/sniff.md shows a failover.

    Hosts vote by unicast: behind a switch, a host sees its own votes, and the heartbeats and announcements of all.
    """
    tools = _tools("sniff")
    if tools is None:
        return NO
    chosen = tools.Options(**options)
    code: int = tools.sniff(chosen, interface=interface, written=written, socket=ask.path, timeout_s=ask.timeout_s)
    return code


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True))
@_both
def decode(file: str, **options: object) -> int:
    """What sniff shows, from a file: FILE is a pcap or pcapng file, of `kingctl sniff --write`, tcpdump or Wireshark; - is
    standard input.

    Exit code 1: it is none, or it ends too early; what could be read has been printed.
    """
    tools = _tools("decode")
    if tools is None:
        return NO
    code: int = tools.decode(file, tools.Options(**options))
    return code


def _tools(verb: str) -> ModuleType | None:
    try:
        from kingd.tools import main
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if missing.partition(".")[0] == "scapy":
            say(f"{verb} needs scapy, which is not installed: apt install python3-scapy, or pip install scapy")
        elif missing.startswith("kingd.tools"):
            say(f"{verb} is in a package of its own: apt install kingd-tools")
        else:
            raise
        return None
    return main


COMMANDS: list[click.Command] = [decode, sniff]
