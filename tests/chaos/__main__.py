"""`python -m tests.chaos [--minutes N] [--mode availability|quorum] [--seed N] [--profile lan|fast] [--out FOLDER]`:
random faults on real daemons, judged from outside. As root, for the hosts are network namespaces. `--judge FILE`: a
history that was kept.

Exits 0 if all was as promised, 1 if a daemon broke down, 2 if what must never be was (two leaders ...), 3 if what must
come did not come in time. In the folder: history.jsonl, history.svg, and the daemons' logs.
"""

import argparse
import random
import shutil
import sys
from pathlib import Path

from tests.chaos import plan
from tests.chaos.checker import Outcome, Verdict, judge
from tests.chaos.history import History, load, save
from tests.chaos.nemesis import Nemesis
from tests.chaos.picture import draw
from tests.lan.network import Lan

HOSTS = ("a", "b", "c", "d", "e")


def main() -> int:
    options = _options()
    if options.judge is not None:
        history = History.of(load(options.judge))
        folder = options.judge.parent
    else:
        folder = options.out / f"{options.mode}-{options.seed}"
        history = run(
            seed=options.seed, mode=options.mode, profile=options.profile, minutes=options.minutes, folder=folder
        )
        save(folder / "history.jsonl", history.records())
    verdict = judge(history)
    (folder / "history.svg").write_text(draw(history, verdict), encoding="utf-8")
    report(history, verdict)
    print(f"the picture: {folder / 'history.svg'}")
    return verdict.outcome


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description="Random faults on real daemons.")
    parser.add_argument("--minutes", type=float, default=2)
    parser.add_argument("--mode", choices=["availability", "quorum"], default="availability")
    parser.add_argument("--profile", choices=["lan", "fast"], default="lan", help="of the timing")
    parser.add_argument("--seed", type=int, default=random.randrange(1, 10_000))
    parser.add_argument("--out", type=Path, default=Path("build/chaos"), metavar="FOLDER")
    parser.add_argument("--judge", type=Path, metavar="FILE", help="judge this history again, and run nothing")
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


def report(history: History, verdict: Verdict) -> None:
    start, end = history.setting.at, history.end
    longest = max((overlap.end - overlap.begin for overlap in verdict.overlaps), default=0)
    print(
        f"{(end - start) / 6e10:.1f} minutes: {len(history.faults)} faults, {sum(a.count for a in history.answers)} answers, "
        f"{len(verdict.leaderships)} leaderships, {len(verdict.overlaps)} overlaps (the longest {longest / 1e9:.2f} s)"
    )
    if verdict.agreed_s:
        print(f"all agreed {max(verdict.agreed_s):.2f} s after a heal at the latest ({len(verdict.agreed_s)} heals)")
    for finding in verdict.findings:
        print(f"{finding.outcome.name} at {(finding.at - start) / 1e9:.3f} s: {finding.text}")
    print(
        "all as promised" if verdict.outcome is Outcome.OK else f"seed {history.setting.seed}: {verdict.outcome.name}"
    )


if __name__ == "__main__":
    sys.exit(main())
