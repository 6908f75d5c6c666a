"""`python -m tests.chaos [--minutes N] [--mode availability|quorum] [--seed N] [--profile lan|fast] [--out FOLDER]`:
random faults on real daemons, judged from outside. As root, for the hosts are network namespaces. `--judge FILE...`:
histories that were kept, all together.

Exits 0 if all was as promised, 1 if a daemon broke down, 2 if what must never be was (two leaders ...), 3 if what must
come did not come in time. In the folder: history.jsonl, history.svg, and the daemons' logs.
"""

import argparse
import random
import shutil
import sys
from collections.abc import Sequence
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
    if not options.judge:
        folder = options.out / f"{options.mode}-{options.seed}"
        history = run(
            seed=options.seed, mode=options.mode, profile=options.profile, minutes=options.minutes, folder=folder
        )
        save(folder / "history.jsonl", history.records())
    histories = {path: History.of(load(path)) for path in options.judge or [folder / "history.jsonl"]}
    judged = [(history, judge(history)) for history in histories.values()]
    for path, (history, verdict) in zip(histories, judged, strict=True):
        path.with_suffix(".svg").write_text(draw(history, verdict), encoding="utf-8")
        print(f"the picture: {path.with_suffix('.svg')}")
    report(judged)
    return worst(verdict.outcome for _, verdict in judged)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description="Random faults on real daemons.")
    parser.add_argument("--minutes", type=float, default=2)
    parser.add_argument("--mode", choices=["availability", "quorum"], default="availability")
    parser.add_argument("--profile", choices=["lan", "fast"], default="lan", help="of the timing")
    parser.add_argument("--seed", type=int, default=random.randrange(1, 10_000))
    parser.add_argument("--out", type=Path, default=Path("build/chaos"), metavar="FOLDER")
    parser.add_argument("--judge", type=Path, nargs="+", metavar="FILE", help="judge these again, and run nothing")
    return parser.parse_args()


def run(*, seed: int, mode: str, profile: str, minutes: float, folder: Path) -> History:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    rounds = plan.draw(seed, HOSTS, minutes=minutes)
    print(f"seed {seed}, {mode}: {len(rounds)} rounds", flush=True)
    with Lan() as lan:
        nemesis = Nemesis(lan, seed=seed, mode=mode, hosts=HOSTS, folder=folder, profile=profile)
        with nemesis:
            nemesis.run(rounds, progress=lambda text: print(text, flush=True))
        for host in lan.hosts:
            (folder / f"{host.name}.log").write_text(host.log, encoding="utf-8")
        return nemesis.history()


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
