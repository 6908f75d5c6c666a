"""Processor time for clients: by user in turn, the privileged first, and no more than a share of it."""

from dataclasses import dataclass, field

from kingd.control.turnstile import SHARE, SLICE_US, Turnstile


@dataclass
class Clock:
    now_us: int = 0
    used_us: int = 0


@dataclass(eq=False)
class Client:
    """Always wants more; each step costs `cost_us`."""

    clock: Clock
    uid: int
    cost_us: int = 100
    is_privileged: bool = False
    served: int = 0
    steps: int = 0

    def serve(self) -> None:
        self.steps += 1
        self.clock.now_us += self.cost_us
        self.clock.used_us += self.cost_us


@dataclass
class Bench:
    clock: Clock = field(default_factory=Clock)
    clients: list[Client] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.turnstile: Turnstile[Client] = Turnstile(
            now_us=lambda: self.clock.now_us, used_us=lambda: self.clock.used_us
        )

    def add(self, uid: int, count: int = 1, *, cost_us: int = 100, is_privileged: bool = False) -> list[Client]:
        added = [Client(self.clock, uid, cost_us, is_privileged) for _ in range(count)]
        self.clients += added
        return added

    def turn(self) -> int:
        """Time passes as the turnstile asks for it."""
        rest_us = self.turnstile.turn(lambda: None, self.clients)
        self.clock.now_us += rest_us
        return rest_us


def test_all_together_use_a_share_of_the_time_and_never_more_than_a_slice_at_once() -> None:
    bench = Bench()
    bench.add(1, 100)
    longest_us = 0
    for _ in range(1000):
        before_us = bench.clock.used_us
        bench.turn()
        longest_us = max(longest_us, bench.clock.used_us - before_us)
    assert longest_us < SLICE_US + 100  # a step is not broken off
    assert bench.clock.used_us <= bench.clock.now_us // SHARE + 2 * SLICE_US


def test_one_long_step_is_paid_for() -> None:
    bench = Bench()
    bench.add(1, 1, cost_us=20 * SLICE_US)
    assert bench.turn() == 20 * SLICE_US * SHARE
    assert bench.clients[0].steps == 1


def test_who_asks_now_and_then_never_waits() -> None:
    bench = Bench()
    bench.add(1)
    for _ in range(100):
        assert bench.turn() == 0
        bench.clock.now_us += 100 * SHARE


def test_a_user_with_one_client_gets_as_much_as_one_with_a_hundred() -> None:
    bench = Bench()
    many, (one,) = bench.add(1, 100), bench.add(2)
    for _ in range(200):
        bench.turn()
    assert one.steps == 200  # in each turn
    assert max(client.steps for client in many) - min(client.steps for client in many) <= 1


def test_a_user_that_connects_anew_for_each_call_gains_nothing() -> None:
    bench = Bench()
    (patient,) = bench.add(2)
    fickle = 0
    for _ in range(200):
        bench.clients = [patient, *(Client(bench.clock, 1, cost_us=SLICE_US) for _ in range(50))]
        bench.turn()
        fickle += sum(client.steps for client in bench.clients[1:])
    assert patient.steps >= fickle / 2


def test_the_privileged_come_first() -> None:
    bench = Bench()
    others = bench.add(1, 50, cost_us=2 * SLICE_US)
    (root,) = bench.add(0, is_privileged=True)
    for number in range(1, 20):
        bench.turn()
        assert root.steps == number
    assert sum(client.steps for client in others) > 0


def test_even_a_door_that_takes_all_leaves_a_step_for_somebody() -> None:
    bench = Bench()
    (client,) = bench.add(1)

    def door() -> None:
        bench.clock.used_us += SLICE_US
        bench.clock.now_us += SLICE_US

    for number in range(1, 10):
        bench.clock.now_us += bench.turnstile.turn(door, bench.clients)
        assert client.steps == number
