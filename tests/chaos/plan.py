"""Which faults, on whom, when: all drawn from one seed before anything runs.

A plan is a list of rounds. In each, some faults run at the same time for a while; then all is made whole, and it stays
quiet for as long as an election may take and some more. A plan names hosts, or `LEADER`: whoever leads when it happens.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

LEADER = "leader"

NETWORK = {"split": 4, "isolate": 3, "deaf": 2, "mute": 2, "one-way": 3, "broken": 2, "loss": 5}
"""What befalls the network, and how often compared with the others."""

HOST = {
    "kill": 3,
    "crash": 3,  # killed, and started again at once
    "forget": 2,  # killed, and its state folder is gone when it starts again
    "pause": 5,
    "stop": 3,
    "step-down": 2,
    "priority": 2,  # another one, for a while
    "renumber": 2,
    "unplug": 2,  # the cable: the host sees it
    "down": 2,  # the interface is set down on the host itself
}

RESTARTS_AND_CUTS = {"crash": 5, "kill": 2, "forget": 1, "isolate": 5, "split": 3, "deaf": 1, "mute": 1, "one-way": 1}
"""New sessions, and hosts that hear nobody but an attacker: by these he has something to gain from what he recorded."""

INTERFACE = ("unplug", "down")
"""Of those the ones that take a host off the network."""

QUIET_S = 8.0
_LISTENS_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One fault."""

    kind: str
    at_s: float  # from the start of its round
    for_s: float
    host: str = ""  # or LEADER
    groups: tuple[tuple[str, ...], ...] = ()  # "split": these hear only themselves
    pairs: tuple[tuple[str, str], ...] = ()  # nothing passes from the first to the second
    percent: int = 0
    priority: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    faulty_s: float
    steps: tuple[Step, ...]
    quiet_s: float = QUIET_S


def draw(seed: int, hosts: Sequence[str], *, minutes: float) -> list[Round]:
    """At least one round; they take `minutes` in all, without what it takes to start what was killed."""
    rng = random.Random(seed)
    rounds: list[Round] = []
    left_s = minutes * 60
    while not rounds or left_s > QUIET_S:
        faulty_s = rng.uniform(4, 14)
        rounds.append(Round(faulty_s=faulty_s, steps=tuple(_steps(rng, hosts, faulty_s))))
        left_s -= faulty_s + QUIET_S
    return rounds


def draw_for_attacker(seed: int, hosts: Sequence[str], *, minutes: float) -> list[Round]:
    """What somebody waits for who has recordings: he listens first; then in each round the leader gets a new session, leads
    again, and is cut off, among other restarts and cuts. They take `minutes` in all, as above."""
    rng = random.Random(seed)
    rounds = [Round(faulty_s=0, steps=(), quiet_s=_LISTENS_S)]
    left_s = minutes * 60 - _LISTENS_S
    while len(rounds) == 1 or left_s > QUIET_S:
        faulty_s = rng.uniform(8, 14)
        cut_s = rng.uniform(3, 5)
        steps = [_step(rng, hosts, faulty_s, RESTARTS_AND_CUTS) for _ in range(rng.choice([0, 0, 1, 2, 3]))]
        steps.append(Step(kind="crash", at_s=0, for_s=faulty_s, host=LEADER))
        steps.append(Step(kind="isolate", at_s=cut_s, for_s=faulty_s - cut_s, host=LEADER))
        rounds.append(Round(faulty_s=faulty_s, steps=tuple(sorted(steps, key=lambda step: step.at_s))))
        left_s -= faulty_s + QUIET_S
    return rounds


def _steps(rng: random.Random, hosts: Sequence[str], faulty_s: float) -> list[Step]:
    steps = [_step(rng, hosts, faulty_s, NETWORK | HOST) for _ in range(rng.choice([1, 2, 3, 4, 5, 7]))]
    # One lost state at a time: a second one before the first is mended breaks what quorum mode rests on.
    forgets = [step for step in steps if step.kind == "forget"]
    return sorted((step for step in steps if step not in forgets[1:]), key=lambda step: step.at_s)


def _step(rng: random.Random, hosts: Sequence[str], faulty_s: float, kinds: Mapping[str, int]) -> Step:
    kind = rng.choices(list(kinds), weights=list(kinds.values()))[0]
    at_s = rng.uniform(0, faulty_s * 0.7)
    rest_s = faulty_s - at_s
    for_s = rng.uniform(0.2, 5) if kind == "pause" else rng.choice([rest_s, rng.uniform(0.5, rest_s)])
    host = rng.choice([LEADER, rng.choice(hosts)])
    match kind:
        case "split":
            return Step(kind=kind, at_s=at_s, for_s=for_s, groups=_groups(rng, hosts))
        case "one-way":
            chosen = rng.sample([(a, b) for a in hosts for b in hosts if a != b], rng.randint(1, 2 * len(hosts)))
            return Step(kind=kind, at_s=at_s, for_s=for_s, pairs=tuple(sorted(chosen)))
        case "broken":
            cut = rng.sample([(a, b) for a in hosts for b in hosts if a < b], rng.randint(1, len(hosts)))
            return Step(kind=kind, at_s=at_s, for_s=for_s, pairs=tuple(sorted(cut + [(b, a) for a, b in cut])))
        case "loss":
            return Step(kind=kind, at_s=at_s, for_s=for_s, percent=rng.randint(5, 30))
        case "priority":
            return Step(kind=kind, at_s=at_s, for_s=for_s, host=host, priority=rng.randint(0, 60))
        case _:
            return Step(kind=kind, at_s=at_s, for_s=for_s, host=host)


def _groups(rng: random.Random, hosts: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    shuffled = rng.sample(list(hosts), len(hosts))
    count = rng.choice([2, 2, 3]) if len(hosts) > 2 else 2
    ends = [0, *sorted(rng.sample(range(1, len(hosts)), count - 1)), len(hosts)]
    return tuple(tuple(sorted(shuffled[a:b])) for a, b in pairwise(ends))
