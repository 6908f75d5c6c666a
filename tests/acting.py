"""`python -m tests.acting` writes docs/acting.md: which tests pin which line of the testers' lists, read off the tests' names.

A test carries the numbers of the lines that it pins: `test_h07_...`, `test_v08_v10_...`; a is A3, the traps of a target."""

import re
from pathlib import Path
from typing import NamedTuple

TOP = Path(__file__).parents[1]
PAGE = TOP / "docs" / "acting.md"
_TEST = re.compile(r"^(?:async )?def (test_((?:[hrva]\d\d_)+)\w+)\(", re.MULTILINE)


class Line(NamedTuple):
    """`besides`: where else it is shown, or why no test is."""

    what: str
    besides: str = ""


LISTS = {
    "H": ("Hooks", "hooks.md"),
    "R": ("`kingctl run`", "run.md"),
    "V": ("Floating addresses", "vip.md"),
    "A": ("The target", "guarantees.md"),
}
LINES: dict[str, Line] = {
    "H1": Line(
        "one at a time, SEQ grows, the last delivery is the final state", "200 changes: `KINGD_HOOK_CHANGES=200`"
    ),
    "H2": Line("the state moves on while a hook runs: one further delivery, the newest; `deposed` is never left out"),
    "H3": Line("of an event that is out of date the running file ends, the remaining ones are skipped"),
    "H4": Line("time is up: the whole tree ends, also what left the session; open output holds nobody"),
    "H5": Line("exit 1 is tried again, three times at most, until a newer state waits; other codes are not"),
    "H6": Line("a planned stop waits for `deposed`, for a hanging one by the bound"),
    "H7": Line("SIGKILL of kingd: `leader-lost`, from a runner that lives on"),
    "H8": Line("restart: the state once, and no second `elected` of one term without `started`"),
    "H9": Line("clean environment, signals, descriptors, folder, scheduling"),
    "H10": Line("what others may write, and leftovers of editors, are refused, each named once"),
    "H11": Line("standard input ends, also for who does not read it"),
    "H12": Line("output is capped and tagged"),
    "H13": Line("keepalived's notify scripts"),
    "H14": Line("`leader-changed` on followers, `overlap-resolved` on the survivor"),
    "H15": Line("the election process forks for no hook"),
    "R1": Line(
        "not leader: 75, nothing is executed, nothing on stdout; `--skip-ok`; `--wait=T`; a signal ends the wait"
    ),
    "R2": Line("argv as given, stdin; a process group of its own; `^C` and `^Z` in an interactive shell"),
    "R3": Line("signals are passed on; a second TERM is one more TERM"),
    "R4": Line("the command's own code, 128 + n, 76 if it was ended, and whose 75 or 76 it is"),
    "R5": Line("another term, another node, lost and won again"),
    "R6": Line(
        "kingd hangs, ends, says nothing clear, is replaced: dead before its last answer is over, and before another leads"
    ),
    "R7": Line("SIGKILL and SIGSTOP of either process"),
    "R8": Line("double fork, setsid, nohup; as root and without rights"),
    "R9": Line(
        "what cannot be killed (state D, by the freezer of cgroup version 1) is named, waited for, and not called drained"
    ),
    "R10": Line("`KINGD_TERM`, `KINGD_NODE_ID`, `KINGD_RUN`"),
    "R11": Line("three voters, each of fourteen kinds of fault once", "1,000 faults: `python -m tests.lan.run_faults`"),
    "R12": Line(
        "suspend, a paused machine",
        "no test: neither can be done to the machine that runs the tests. Both processes wait on a timer of CLOCK_BOOTTIME, "
        "which is over when the machine wakes",
    ),
    "R13": Line("500 runs on one host: one descriptor each", "costs: `python -m tests.lan.run_many`"),
    "V1": Line("takeover: added and announced at once, no probe", "how soon: V21"),
    "V2": Line(
        "cold claim: three probes, and a stranger's answer, of both families; of a successor, too",
        "there is no `required`, by which a host would not lead without its address: a stranger keeps it from one host after "
        "the other, and leadership would wander for as long as he is there",
    ),
    "V3": Line(
        "a member that answers is told from a stranger, and told to let go",
        "by the announcements, which its kingd-vip hears, and not by a message of kingd's: vip.md says why",
    ),
    "V4": Line("a later claim is counted, named, and answered once in 10 s"),
    "V5": Line(
        "request and reply, and when, after a suspend too; read by scapy",
        "the failover of a bond its driver announces (`num_grat_arp`); not tried, the kernel of the tests has none",
    ),
    "V6": Line("the advertisement: flags, hop limit, option, checksum; read by scapy"),
    "V7": Line("/32 and /128 by default; a prefix only where it takes no address of the host along"),
    "V8": Line("never a source by choice"),
    "V9": Line("kingd neither binds nor announces it, and does not wake for it"),
    "V10": Line("label; what the file may say"),
    "V11": Line("what is there already: ours, and the administrator's"),
    "V12": Line(
        "removed: deposed, stop, SIGKILL and SIGSTOP of kingd, of kingd-vip, of both",
        "1,000 kills: `python -m tests.lan.kills`",
    ),
    "V13": Line("planned hand-over: removed here before it is added there"),
    "V14": Line("connections are reset at removal, where `reset_connections` says so"),
    "V15": Line("services that cannot bind yet: a setting of the kernel's"),
    "V16": Line(
        "interface missing, renamed, down, without carrier, another MAC, a bridge, not Ethernet",
        "a bond or a VLAN is such an interface to us; not tried, the kernel of the tests has neither",
    ),
    "V17": Line("somebody removes it"),
    "V18": Line("several addresses, both families: a state each"),
    "V19": Line(
        "announced, and it does not arrive: told by who misses it",
        "the members' neighbour tables are not asked for: one who has never talked to the address has no entry, and what "
        "would change an entry is what kingd-vip there listens for",
    ),
    "V20": Line("this unit alone has the two capabilities"),
    "V21": Line(
        "the gap that a client sees, beside keepalived",
        "no test, for the time that it takes is no matter of right or wrong: `python -m benchmarks.vip`, performance.md",
    ),
    "A1": Line("`Wants=` starts once: a unit that must stay is upheld"),
    "A2": Line("target started by hand on a follower: stopped at once, with all that it wants"),
    "A3": Line("a start that hangs, and the stop behind it"),
    "A4": Line("`JobTimeoutSec=` does not kill", "no test: nothing here relies on it"),
    "A5": Line("a unit that does not stop in time: what wins", "1,000 faults: `python -m tests.system.strict`"),
    "A6": Line("`Restart=always` in a target that stops"),
    "A7": Line(
        "systemd is executed anew while this host leads",
        "`isolate`, emergency and soft-reboot stop units that the operator did not name: they are his word, and not undone",
    ),
    "A8": Line("a masked, a failing and a missing unit keep nobody from moving"),
}

HEAD = """# Acting on leadership: the testers' lists

Which test pins which line. Written by `python -m tests.acting` from the names of the tests; do not edit.
"""


def pins() -> dict[str, list[tuple[str, str]]]:
    """Line -> file and test."""
    found: dict[str, list[tuple[str, str]]] = {}
    for path in sorted((TOP / "tests").rglob("test_*.py")):
        for name, numbers in _TEST.findall(path.read_text(encoding="utf-8")):
            for number in numbers.strip("_").split("_"):
                line = f"{number[0].upper()}{int(number[1:])}"
                found.setdefault(line, []).append((path.relative_to(TOP).as_posix(), name))
    return found


def page() -> str:
    pinned = pins()
    parts = [HEAD]
    for letter, (title, design) in LISTS.items():
        parts.append(f"\n## {title}\n\nDesign: [{design}]({design}).\n\n| # | what happens | tests |\n|---|---|---|\n")
        parts += [_row(number, pinned.get(number, [])) for number in LINES if number[0] == letter]
    return "".join(parts)


def _row(number: str, tests: list[tuple[str, str]]) -> str:
    what, besides = LINES[number]
    by_file: dict[str, list[str]] = {}
    for file, test in tests:
        by_file.setdefault(file, []).append(f"`{test}`")
    cells = [f"[{file.removeprefix('tests/')}](../{file}): {', '.join(names)}" for file, names in by_file.items()]
    shown = f"A3.{number[1:]}" if number[0] == "A" else number
    return f"| {shown} | {what} | {'; '.join([*cells, besides] if besides else cells) or 'MISSING'} |\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
