"""Hosts in quorum mode are asked all the time, and what they said is judged when it is over."""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path

from tests.chaos.checker import SECOND, Leadership, Outcome, judge
from tests.chaos.history import History, Setting
from tests.chaos.observed import Asked, Observed


@contextmanager
def judged(hosts: Sequence[Asked], file: Path, *, leaderless_s: float | None = None) -> Iterator[None]:
    """What they say meanwhile is as promised, as far as an outsider can prove. `leaderless_s`: between two leaders it never
    takes longer than that."""
    names = tuple(host.name for host in hosts)
    setting = Setting(at=time.monotonic_ns(), seed=0, mode="quorum", hosts=names, voters=())
    observed = Observed(hosts, file)
    with observed:
        yield
    verdict = judge(History.of([setting, *observed.records]))
    assert verdict.leaderships
    assert verdict.outcome is Outcome.OK, verdict.findings
    if leaderless_s is not None:
        assert longest_gap_s(verdict.leaderships) <= leaderless_s, verdict.leaderships


def longest_gap_s(leaderships: Iterable[Leadership]) -> float:
    """From the last answer of one leader to the first of the next."""
    ordered = sorted(leaderships, key=lambda one: one.surely_from)
    ends = accumulate((one.surely_until for one in ordered), max)
    gaps = (after.surely_from - end for end, after in zip(ends, ordered[1:], strict=False))
    return max(gaps, default=0) / SECOND
