"""Judges a history: what the daemons said, against what docs/guarantees.md promises.

What counts is what an outsider can prove. An answer was true at *some* instant between question and answer, an event at
the instant that it names. So a leadership, the time for which one session said that it leads in one term, is known
from the inside only: `surely_from` is the latest instant at which it can have begun, `surely_until` the earliest at
which it can have ended. Where `surely_from` is after `surely_until`, it led at some instant between the two, and no
more is known. Of two leaderships A and B some instant is shared for sure if and only if

    A.surely_from <= B.surely_until and B.surely_from <= A.surely_until

whichever of the two kinds they are. A process that was stopped says nothing meanwhile, so the part of a question's
time in which its daemon was stopped does not count. Two answers "I lead in term 7" prove all the time between them,
unless something that denies it lies in between.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import combinations

from tests.chaos.history import Answers, Bracket, History, Life, Quiet

SECOND = 1_000_000_000

AGREE_S = 6.0
"""From the heal until all of them name one leader in one term, and it says so too.
The simulator has the same bound (kingd/sim/swarm.py). By docs/protocol.md 5, the longest way there in availability
mode: a silent leader is given up after at most four timeouts, 2 s; the claims of the next in rank wait 4 slots, 0.6 s; a
claim that fails takes 0.25 s, the promise that it leaves behind 0.5 s, slots and claim again 0.85 s: 4.2 s. Two lonely
leaders that meet: 2.5 s, an announcement in between 1 s, claim and raise 0.5 s: 4 s. In quorum mode: a promise that
nobody can release runs 1 s, as long again for a voter that has just started, and the same claims as above."""


_FRESH = 2 * SECOND
_LOOKS = SECOND // 10  # between two looks at a daemon, on a busy machine
"""What each host said last of a leader counts at the end of a quiet time, unless it is older. A machine that does much else
at the same time lets daemons answer late, and say "not known" for the moment in which they did not run."""


class Outcome(IntEnum):
    """The exit code; the same as the simulator's."""

    OK = 0
    CRASH = 1
    SAFETY = 2
    LIVENESS = 3


@dataclass(frozen=True, slots=True)
class Finding:
    outcome: Outcome
    at: int
    text: str


@dataclass(slots=True)
class Leadership:
    """One session leads in one term."""

    host: str
    pid: int
    node: str
    term: int
    surely_from: int
    surely_until: int

    @property
    def name(self) -> str:
        return f"{self.host} (pid {self.pid}, term {self.term})"


@dataclass(frozen=True, slots=True)
class Overlap:
    one: Leadership
    other: Leadership

    @property
    def begin(self) -> int:
        return min(self._ends)

    @property
    def end(self) -> int:
        return max(self._ends)

    @property
    def _ends(self) -> tuple[int, int]:
        one, other = self.one, self.other
        return max(one.surely_from, other.surely_from), min(one.surely_until, other.surely_until)


@dataclass(slots=True)
class Verdict:
    findings: list[Finding] = field(default_factory=list)
    leaderships: list[Leadership] = field(default_factory=list)
    overlaps: list[Overlap] = field(default_factory=list)
    agreed_s: list[float] = field(default_factory=list)  # per quiet time, from the heal
    resolved_s: list[float] = field(default_factory=list)  # per overlap that lasted until a heal, from then to its end

    @property
    def outcome(self) -> Outcome:
        return worst(finding.outcome for finding in self.findings)


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    found = set(outcomes)
    order = (Outcome.SAFETY, Outcome.CRASH, Outcome.LIVENESS)
    return next((outcome for outcome in order if outcome in found), Outcome.OK)


def judge(history: History) -> Verdict:
    verdict = Verdict()
    verdict.leaderships = leaderships(history)
    verdict.overlaps = overlaps(verdict.leaderships)
    quorum = history.setting.mode == "quorum"
    verdict.findings += [Finding(Outcome.CRASH, c.at, f"{c.host}: {c.text}") for c in history.complaints]
    verdict.findings += _led_twice(verdict.leaderships, by_term_alone=quorum)
    verdict.findings += _fallen_views(history.answers)
    if quorum:
        verdict.findings += _two_at_once(verdict.overlaps)
        verdict.findings += _led_again(verdict.leaderships)
        verdict.findings += _tokens_back(verdict.leaderships)
        verdict.findings += _named_two(history.answers)
    for quiet in history.quiets:
        if not quorum:
            verdict.findings += _unresolved(history, verdict.overlaps, quiet)
            ended = [overlap.end - quiet.at for overlap in verdict.overlaps if overlap.begin <= quiet.at < overlap.end]
            verdict.resolved_s += [nanoseconds / SECOND for nanoseconds in ended]
        _check_agreement(history, quiet, verdict)
    verdict.findings.sort(key=lambda finding: finding.at)
    return verdict


# -- who led, and when


@dataclass(frozen=True, slots=True)
class _Evidence:
    """That a session led in a term at some instant in the bracket, or (term None) that it did not."""

    begin: int
    end: int
    term: int | None
    node: str = ""


def leaderships(history: History) -> list[Leadership]:
    hosts = {a.pid: a.host for a in history.answers} | {t.pid: t.host for t in history.told}
    found = [
        leadership
        for pid, evidence in _evidence(history).items()
        for leadership in _of_one_session(hosts[pid], pid, sorted(evidence, key=lambda e: (e.begin, e.end)))
    ]
    return sorted(found, key=lambda leadership: leadership.surely_from)


def _of_one_session(host: str, pid: int, evidence: list[_Evidence]) -> Iterator[Leadership]:
    current: Leadership | None = None
    last_end = denied = 0  # of what is known of the current one; and until when it was denied since, 0 = never
    for item in evidence:
        if item.term is None:
            if item.begin >= last_end and not denied:
                denied = item.end
        elif current is not None and current.term == item.term and not (denied and item.begin >= denied):
            if denied:
                continue  # it may be from before the denial or from after it, and so it proves nothing
            current.surely_from = min(current.surely_from, item.end)
            current.surely_until = max(current.surely_until, item.begin)
            current.node = current.node or item.node
            last_end = max(last_end, item.end)
        else:
            if current is not None:
                yield current
            current = Leadership(host, pid, item.node, item.term, surely_from=item.end, surely_until=item.begin)
            last_end, denied = item.end, 0
    if current is not None:
        yield current


def _evidence(history: History) -> dict[int, list[_Evidence]]:
    """By session."""
    found: dict[int, list[_Evidence]] = defaultdict(list)
    paused = _pauses(history.lives)
    for said in history.answers:
        term = said.term if said.leads else None
        for bracket in {said.first, said.last}:
            begin, end = _awake(bracket, paused[said.pid])
            found[said.pid].append(_Evidence(begin, end, term, said.node))
    for told in history.told:
        if told.event in ("elected", "deposed"):
            found[told.pid].append(_Evidence(told.at, told.at, told.term if told.event == "elected" else None))
    return found


def _pauses(lives: Iterable[Life]) -> dict[int, list[Bracket]]:
    found: dict[int, list[Bracket]] = defaultdict(list)
    since: dict[int, int] = {}
    for life in lives:
        if life.what == "paused":
            since[life.pid] = life.at
        elif life.what == "resumed":
            found[life.pid].append((since.pop(life.pid), life.at))
    return found


def _awake(bracket: Bracket, pauses: Iterable[Bracket]) -> Bracket:
    """Without what of it lies in a pause, at either end."""
    begin, end = bracket
    for since, until in pauses:
        if since <= begin < until <= end:
            begin = until
    return begin, end


def overlaps(among: list[Leadership]) -> list[Overlap]:
    """Of two sessions, and proven."""
    return [
        Overlap(one, other)
        for one, other in combinations(among, 2)
        if one.pid != other.pid and one.surely_from <= other.surely_until and other.surely_from <= one.surely_until
    ]


# -- safety


def _led_twice(among: list[Leadership], *, by_term_alone: bool) -> Iterator[Finding]:
    """AV1: no ballot, which is term and node, is led by two sessions. Q2: no term is."""
    first: dict[tuple[int, str], Leadership] = {}
    for one in among:
        former = first.setdefault((one.term, "" if by_term_alone else one.node), one)
        if former.pid != one.pid:
            yield Finding(Outcome.SAFETY, one.surely_from, f"one ballot, two leaders: {former.name} and {one.name}")


def _fallen_views(answers: list[Answers]) -> Iterator[Finding]:
    """AV2: within a session, the ballots that it follows or leads never fall."""
    highest: dict[int, tuple[int, str]] = {}
    for said in answers:
        if said.leader is None:
            continue
        before, now = highest.get(said.pid, (0, "")), (said.term, said.leader)
        if now < before:
            text = (
                f"{said.host} (pid {said.pid}) goes from term {before[0]} of {before[1]} back to {now[0]} of {now[1]}"
            )
            yield Finding(Outcome.SAFETY, said.at, text)
        highest[said.pid] = max(before, now)


def _two_at_once(found: list[Overlap]) -> Iterator[Finding]:
    """Q1."""
    for overlap in found:
        text = f"two leaders for {_ms(overlap.end - overlap.begin)}: {overlap.one.name} and {overlap.other.name}"
        yield Finding(Outcome.SAFETY, overlap.begin, text)


def _led_again(among: list[Leadership]) -> Iterator[Finding]:
    """Who did not lead for a moment never leads in that term again, or its lease meant nothing."""
    seen: set[tuple[int, int]] = set()
    for one in among:
        if (one.pid, one.term) in seen:
            yield Finding(Outcome.SAFETY, one.surely_from, f"{one.name} leads again in a term that was over")
        seen.add((one.pid, one.term))


def _tokens_back(among: list[Leadership]) -> Iterator[Finding]:
    """Q2: who asks around never sees a leader's term that is lower than one which a leader had before."""
    for one in among:
        newer = next((o for o in among if o.term > one.term and o.surely_from < one.surely_until), None)
        if newer is not None:
            yield Finding(Outcome.SAFETY, one.surely_until, f"the term goes back: {one.name} leads after {newer.name}")


def _named_two(answers: list[Answers]) -> Iterator[Finding]:
    """Q2 in the words of the followers: for one term nobody names another leader."""
    first: dict[int, Answers] = {}
    for said in answers:
        if said.leader is not None and first.setdefault(said.term, said).leader != said.leader:
            former = first[said.term]
            text = f"term {said.term}: {former.host} calls {former.leader} leader, {said.host} calls {said.leader} so"
            yield Finding(Outcome.SAFETY, said.at, text)


# -- liveness


def _unresolved(history: History, found: list[Overlap], quiet: Quiet) -> Iterator[Finding]:
    """Every overlap ends in time, and those that the heal ends are told at both sides."""
    for overlap in found:
        if overlap.begin > quiet.end or overlap.end < quiet.at:
            continue
        names = f"{overlap.one.name} and {overlap.other.name}"
        if overlap.end > max(quiet.at, overlap.begin) + AGREE_S * SECOND:
            yield Finding(Outcome.LIVENESS, overlap.end, f"two leaders for too long after the heal: {names}")
        for one in (overlap.one, overlap.other):
            if overlap.begin <= quiet.at and not _was_told_of_it(history, one, overlap, quiet):
                text = f"{one.name} was not told overlap-resolved after it led beside another one: {names}"
                yield Finding(Outcome.LIVENESS, quiet.end, text)


def _was_told_of_it(history: History, one: Leadership, overlap: Overlap, quiet: Quiet) -> bool:
    """Or handed over to a better one before the two met: what ended the overlap was that."""
    told = [t for t in history.told if t.pid == one.pid and quiet.at <= t.at <= quiet.end]
    handed_over = [t.at for t in told if (t.event, t.reason) == ("deposed", "preempted")]
    return any(t.event == "overlap-resolved" for t in told) or any(at <= overlap.end + _LOOKS for at in handed_over)


def _check_agreement(history: History, quiet: Quiet, verdict: Verdict) -> None:
    within = [a for a in history.answers if a.last[0] >= quiet.at and a.first[1] <= quiet.end]
    agreed = _agreed(history, within, quiet.at, quiet.end)
    limit = quiet.at + int(AGREE_S * SECOND)
    if agreed is not None:
        verdict.agreed_s.append((agreed - quiet.at) / SECOND)
    if agreed is None or agreed > limit:
        text = f"no agreement {AGREE_S:g} s after the heal: {_views(history, within, limit)}"
        verdict.findings.append(Finding(Outcome.LIVENESS, limit, text))
    elif not _agree(history, list({a.host: a for a in within if a.leader and a.last[1] > quiet.end - _FRESH}.values())):
        text = f"they agreed, and do not at the end of the quiet time: {_views(history, within, quiet.end)}"
        verdict.findings.append(Finding(Outcome.LIVENESS, quiet.end, text))


def _agreed(history: History, among: list[Answers], begin: int, end: int) -> int | None:
    """The first instant in that time."""
    instants = [begin, *(a.at for a in among if begin < a.at <= end)]
    return next((at for at in instants if _agree(history, [a for a in among if a.first[1] <= at <= a.last[0]])), None)


def _agree(history: History, said: list[Answers]) -> bool:
    """All hosts say the same, and the one whom they name says that it leads."""
    if {a.host for a in said} != set(history.setting.hosts) or len({(a.leader, a.term) for a in said}) != 1:
        return False
    return any(a.leads and a.node == a.leader for a in said)


def _views(history: History, among: list[Answers], at: int) -> str:
    names = {a.node: a.host for a in history.answers}
    newest = {a.host: a for a in among if a.at <= at}
    return ", ".join(
        f"{host}: {names.get(a.leader or '', a.leader)} in {a.term}" if (a := newest.get(host)) else f"{host}: silent"
        for host in history.setting.hosts
    )


def _ms(nanoseconds: int) -> str:
    return f"{nanoseconds / 1e6:.1f} ms"
