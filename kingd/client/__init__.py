"""kingd's Python API: ask the daemon of this host who leads, act while it does, and steer it. docs/client.md has more.

    from kingd.client import Client

    if Client().is_leader():
        run_the_nightly_job()

    leader = Client().wait(timeout_s=30)
    write_to(leader.tags["url"], fencing_token=leader.term)

    with Client().leading() as validity:
        for batch in batches:
            validity.check()
            work_on(batch, fencing_token=validity.term)

(`tags` are what the leader's configuration announces in [tags]: there a service says where it is found.)

Every method is one blocking call over the control socket, made when it is called: nothing is cached. An answer of
leadership is true when the daemon gives it, and is not given out when it is older than its `valid_ms`: where this process
was stopped for so long `leader()` is None and `is_leader()` False. To rely on it for longer, use `leading`.
The objects that methods return as `dict` are those of `kingctl VERB --json`, documented in kingctl(1).

Errors, all of them a `KingdError` whose text is for a person:

* `DaemonNotRunning`: nobody answers at the socket, it may not be opened, or the daemon stopped while we listened;
* `DaemonUnreachable`: it runs, and cannot be asked: its socket was removed, which it mends within a second;
* `CallTimedOut`: the daemon did not answer in time;
* `CallFailed`: it refused; `name` says why, for example "org.kingd.NotLeader" or "org.kingd.NotAuthorized";
* `BadAnswer`: it said something that this version does not understand, or more than 4 MiB;
* `NotLeading`, `LeadershipLost`: of `leading`.

A `Client` holds no connection and no state: make as many as you like, and use them from any thread. For asyncio there is
`kingd.client.aio`, which alone imports asyncio; neither imports anything of the daemon.
"""

import math
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from kingd.client.leading import LeadershipLost, NotLeading, OnDoubt, Validity, enter
from kingd.control.answer import number, section_or_none, text
from kingd.control.client import (
    BadAnswer,
    CallFailed,
    CallTimedOut,
    DaemonNotRunning,
    DaemonUnreachable,
    JsonObject,
    KingdError,
    call,
    stream,
)
from kingd.control.target import is_instance, socket_path
from kingd.control.validity import Answer, wait

__all__ = [
    "BadAnswer",
    "CallFailed",
    "CallTimedOut",
    "Client",
    "DaemonNotRunning",
    "DaemonUnreachable",
    "JsonObject",
    "KingdError",
    "Leader",
    "LeadershipLost",
    "NotLeading",
    "Validity",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Leader:
    """Who leads. `term` grows with every leadership: hand it to what the leader writes to, and refuse lower ones."""

    id: str
    name: str
    priority: int
    address: str | None  # of its kingd, which speaks UDP with other kingd only: "10.0.0.1:5466", "[fe80::1%eth0]:5466"
    term: int
    tags: Mapping[str, str] = field(default_factory=dict)


class Client:
    """The daemon at `socket`, else at $KINGCTL_SOCKET, else of `instance`, else of this host: as kingctl chooses.

    `timeout_s`: how long each call may take.
    """

    def __init__(
        self, socket: str | os.PathLike[str] | None = None, instance: str | None = None, timeout_s: float = 5
    ) -> None:
        if instance is not None and not is_instance(instance):
            raise ValueError(f"no instance name: {instance!r}")
        self.socket = socket_path(None if socket is None else os.fspath(socket), instance)
        self.timeout_s = timeout_s

    def leader(self) -> Leader | None:
        """Who leads. None: that is not known now, or nobody does; `status()` says why."""
        answer = self._ask()
        leader = of(answer)
        return None if answer.is_over else leader

    def is_leader(self) -> bool:
        """Whether this host leads. False if that is not known: what only the leader may do is not done then."""
        answer = self._ask()
        return answer.is_me and not answer.is_over

    def status(self) -> JsonObject:
        """{"version", "cluster", "mode", "node": {...}, "leader": {...} | None, "term", "leader_age_ms", "valid_ms",
        "since", "reason", "members": {"alive", "dead"}, "quorum": {...}, "strangers": [...], "problems": [...]}
        """
        return self._call("Status")

    def members(self) -> JsonObject:
        """{"version", "members": [{"id", "name", "priority", "address", "role", "state", "eligible",
        "ineligible_reason", "last_heard_ms", "version"}]}
        """
        return self._call("Members")

    def survey(self) -> JsonObject:
        """Every member asked live: {"version", "agree": bool, "nodes": [{"id", "name", "priority", "leader", "term",
        "ok", "eligible", "ineligible_reason", "rtt_ms"}]}. Takes up to half a second when one is silent.
        """
        return self._call("Survey")

    def history(self) -> JsonObject:
        """{"version", "events": [...]}: the last 256 events as `watch` yields them, oldest first."""
        return self._call("History")

    def watch(self) -> Iterator[JsonObject]:
        """The present state as an event with "initial": True, then every change as it happens.

        {"version", "event", "time", "monotonic_ns", "role", "previous_role", "term", "seq", "leader", "previous_leader",
        "reason"}, and of some "member" and "on". Ends with `DaemonNotRunning` when the daemon stops, and also when the
        iterator is read too slowly: the daemon does not wait for a reader. Close the iterator to end the connection."""
        return stream(self.socket, "Watch", first_s=self.timeout_s)

    def wait(self, *, me: bool = False, timeout_s: float | None = None) -> Leader:
        """Wait until somebody leads (`me`: until this host does). `CallTimedOut` after `timeout_s`; None: never."""
        end_s = math.inf if timeout_s is None else time.monotonic() + timeout_s
        while True:
            answer, _ = wait(self.socket, me=me, first_s=self.timeout_s, total_s=end_s - time.monotonic())
            leader = of(answer)
            if leader is not None and not answer.is_over:
                return leader

    @contextmanager
    def leading(
        self,
        name: str = "kingd.client",
        *,
        wait_s: float = 0,
        on_doubt: OnDoubt | None = None,
        kill: bool = False,
    ) -> Iterator[Validity]:
        """A block of code for as long as this host leads, in this one leadership. `NotLeading`: it was not entered.

        `name`: what kingd calls it in its log (1 to 32 characters). `wait_s`: how long to wait until this host leads
        (math.inf: for ever). `on_doubt`: called with the reason when the block has to end, once at most, from another
        thread, and never after the block; for what does not look at `Validity.check`: to close a socket, to end a child.
        `kill`: the kernel kills this process (SIGKILL) at `Validity.until`, if the block is still there then. A hand-over
        on purpose waits for the end of the block, up to 30 s. `LeadershipLost` at its end: it ended too late."""
        guard = enter(self.socket, name, timeout_s=self.timeout_s, wait_s=wait_s)
        validity = guard.begin(on_doubt=on_doubt, kill=kill)
        try:
            yield validity
            guard.settle()
        finally:
            guard.end()

    def step_down(self, to: str | None = None, *, for_s: float = 60) -> JsonObject:
        """Hand leadership over, to the member of the name or id `to`, or to the best; once it leads: {"version",
        "leader": {...} | None}.

        `CallFailed`: NotLeader, NoSuccessor, UnknownMember, TimedOut, NotAuthorized.
        """
        return self._call("StepDown", {"to": to, "for_ms": round(for_s * 1000)})

    def set_priority(self, priority: int) -> JsonObject:
        """Until a reload, or until the daemon ends: {"version", "priority", "previous", "persistent": False}.

        `CallFailed`: OutOfRange (0 to 65535), NotAuthorized.
        """
        return self._call("SetPriority", {"priority": priority})

    def set_maintenance(self, on: bool, *, for_s: float | None = None, reason: str = "") -> JsonObject:
        """A member that does not lead, for so long (None: until it is off), also over restarts: {"version", "on", "until": RFC
        3339 | None, "saved": bool}. A leader hands over after the answer.

        `CallFailed`: OutOfRange (a year), NotAuthorized.
        """
        for_ms = None if for_s is None else round(for_s * 1000)
        return self._call("SetMaintenance", {"on": on, "for_ms": for_ms, "reason": reason or None})

    def set_fitness(self, name: str, unfit: str | None, *, for_s: float) -> JsonObject:
        """Whether this host is fit to lead, as `name` sees it; `unfit` is why not. Forgotten after `for_s`, unless it is said
        again: {"version", "eligible": bool, "reloads": how often the configuration was read again}.

        `CallFailed`: OutOfRange (an hour), Busy, NotAuthorized.
        """
        return self._call("SetFitness", {"name": name, "unfit": unfit, "for_ms": round(for_s * 1000)})

    def reload(self) -> JsonObject:
        """Read the configuration again: {"version", "applied": [keys], "needs_restart": [keys], "notes": [sentences]}.

        `CallFailed`: BadConfig (nothing was changed), NotAuthorized.
        """
        return self._call("Reload")

    def _ask(self) -> Answer:
        return Answer(self.socket, timeout_s=self.timeout_s)

    def _call(self, method: str, parameters: JsonObject | None = None) -> JsonObject:
        return call(self.socket, method, parameters, timeout_s=self.timeout_s)


def of(answer: Answer) -> Leader | None:
    node = answer.leader
    if node is None:
        return None
    address = node.get("address")
    return Leader(
        id=text(node, "id"),
        name=text(node, "name"),
        priority=number(node, "priority"),
        address=None if address is None else str(address),
        term=number(answer.status, "term"),
        tags={key: str(value) for key, value in (section_or_none(node, "tags") or {}).items()},
    )
