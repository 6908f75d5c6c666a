"""`python -m tests.chaos [--minutes N] [--mode availability|quorum] [--seed N] [--profile lan|fast] [--attacker]
[--out FOLDER]`: random faults on real daemons, judged from outside. As root, for the hosts are network namespaces.
`--attacker`: restarts and cuts, the same ones on two clusters at one time, one of them beside somebody without the key
who says again what he hears (tests/lan/eavesdropper.py); and whether that one had more changes of leader.
`--judge FILE...`: histories that were kept, all together.

Exits 0 if all was as promised, 1 if a daemon broke down, 2 if what must never be was (two leaders ...), 3 if what must
come did not come in time. In the folder: history.jsonl, history.svg, and the daemons' logs.
"""

import argparse
import random
import shutil
import sys
from bisect import bisect_left
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from math import comb
from pathlib import Path

from tests.chaos import plan
from tests.chaos.checker import Outcome, Verdict, judge, worst
from tests.chaos.history import History, load, save
from tests.chaos.nemesis import Nemesis
from tests.chaos.picture import draw
from tests.lan.network import Lan

HOSTS = ("a", "b", "c", "d", "e")


def main() -> int:
    options = _options()
    paths = options.judge or _run_all(options)
    histories = {path: History.of(load(path)) for path in paths}
    judged = [(history, judge(history)) for history in histories.values()]
    for path, (history, verdict) in zip(histories, judged, strict=True):
        path.with_suffix(".svg").write_text(draw(history, verdict), encoding="utf-8")
        print(f"the picture: {path.with_suffix('.svg')}")
    report(judged)
    if options.attacker and not options.judge:
        print(compared(*judged))
    return worst(verdict.outcome for _, verdict in judged)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description="Random faults on real daemons.")
    parser.add_argument("--minutes", type=float, default=2)
    parser.add_argument("--mode", choices=["availability", "quorum"], default="availability")
    parser.add_argument("--profile", choices=["lan", "fast"], default="lan", help="of the timing")
    parser.add_argument("--seed", type=int, default=random.randrange(1, 10_000))
    parser.add_argument("--attacker", action="store_true", help="two: alone, and beside one who replays it all")
    parser.add_argument("--out", type=Path, default=Path("build/chaos"), metavar="FOLDER")
    parser.add_argument("--judge", type=Path, nargs="+", metavar="FILE", help="judge these again, and run nothing")
    return parser.parse_args()


def _run_all(options: argparse.Namespace) -> list[Path]:
    """Both at the same time, where there are two: what else the machine does disturbs both."""
    kinds = [False, True][: 1 + options.attacker]
    with ProcessPoolExecutor(len(kinds)) as pool:
        return list(pool.map(partial(_kept, options), kinds))


def _kept(options: argparse.Namespace, attacker: bool) -> Path:
    """The file with the history of one run."""
    folder: Path = options.out / f"{options.mode}-{options.seed}{'-attacker' if attacker else ''}"
    draw = plan.draw_for_attacker if options.attacker else plan.draw
    rounds = draw(options.seed, HOSTS, minutes=options.minutes)
    history = run(
        rounds, seed=options.seed, mode=options.mode, profile=options.profile, folder=folder, attacker=attacker
    )
    save(folder / "history.jsonl", history.records())
    return folder / "history.jsonl"


def run(
    rounds: Sequence[plan.Round], *, seed: int, mode: str, profile: str, folder: Path, attacker: bool = False
) -> History:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    label = "attacked: " if attacker else ""
    print(f"{label}seed {seed}, {mode}: {len(rounds)} rounds", flush=True)
    with Lan() as lan:
        nemesis = Nemesis(lan, seed=seed, mode=mode, hosts=HOSTS, folder=folder, profile=profile, attacker=attacker)
        with nemesis:
            nemesis.run(rounds, progress=lambda text: print(label + text, flush=True))
        if nemesis.eavesdropper is not None:
            print(f"the attacker heard {len(nemesis.eavesdropper.recorded)}, sent {dict(nemesis.eavesdropper.sent)}")
        for host in nemesis.hosts.values():
            (folder / f"{host.name}.log").write_text(host.log, encoding="utf-8")
        return nemesis.history()


def compared(alone: tuple[History, Verdict], attacked: tuple[History, Verdict]) -> str:
    """Whether the attacker brought about changes of leader. A busy machine adds some of its own to either, so rounds differ in
    both directions; the sign test tells how often they would differ so much by chance."""
    one, other = changes_by_round(*alone), changes_by_round(*attacked)
    more = sum(after > before for before, after in zip(one, other, strict=False))
    fewer = sum(after < before for before, after in zip(one, other, strict=False))
    return (
        f"changes of leader: {sum(one)} without the attacker, {sum(other)} with it; more with it in {more} rounds, fewer in "
        f"{fewer}: so many or more of {more + fewer} by chance in {by_chance(more, more + fewer):.0%} of all cases"
    )


def by_chance(heads: int, throws: int) -> float:
    """How likely so many heads or more are (one-sided sign test)."""
    return sum(comb(throws, number) for number in range(heads, throws + 1)) / float(1 << throws)


def changes_by_round(history: History, verdict: Verdict) -> list[int]:
    """How many leaderships began in each."""
    ends = [quiet.end for quiet in history.quiets]
    began = [bisect_left(ends, one.surely_from) for one in verdict.leaderships]
    return [began.count(number) for number in range(len(ends))]


def report(judged: Sequence[tuple[History, Verdict]]) -> None:
    """All of them together."""
    histories, verdicts = zip(*judged, strict=True)
    minutes = sum(history.end - history.setting.at for history in histories) / 6e10
    faults = sum(len(history.faults) for history in histories)
    answers = sum(said.count for history in histories for said in history.answers)
    led = sum(len(verdict.leaderships) for verdict in verdicts)
    overlaps = [(overlap.end - overlap.begin) / 1e9 for verdict in verdicts for overlap in verdict.overlaps]
    resolved = [seconds for verdict in verdicts for seconds in verdict.resolved_s]
    agreed = sorted(seconds for verdict in verdicts for seconds in verdict.agreed_s)
    print(f"{minutes:.1f} minutes: {faults} faults, {answers} answers, {led} leaderships")
    print(f"two leaders at one instant: {len(overlaps)} times, for {max(overlaps, default=0):.2f} s at the longest")
    if resolved:
        print(f"{len(resolved)} of them lasted until a heal, and ended {max(resolved):.2f} s after it at the latest")
    if agreed:
        median, latest = agreed[len(agreed) // 2], agreed[-1]
        print(f"all agreed {median:.2f} s after a heal (median of {len(agreed)}), {latest:.2f} s at the latest")
    for history, verdict in judged:
        for finding in verdict.findings:
            at = f"{(finding.at - history.setting.at) / 1e9:.3f} s"
            print(f"seed {history.setting.seed}, {finding.outcome.name} at {at}: {finding.text}")
    print("all as promised" if worst(verdict.outcome for verdict in verdicts) is Outcome.OK else "NOT as promised")


if __name__ == "__main__":
    sys.exit(main())
