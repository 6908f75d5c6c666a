"""What the control socket may ask of the daemon: the seam between `control/server.py` and `daemon/runtime.py`.

Every answer is the JSON object of INTERFACE.md 4, computed at the moment of asking. A refusal is a `ServiceError`,
which the server turns into the Varlink error `org.kingd.<name>`.
"""

from collections.abc import Callable
from typing import Protocol

JsonObject = dict[str, object]
Push = Callable[[bytes], None]
"""Writes one encoded reply at once, or ends the connection: it never waits."""


Tell = Callable[[JsonObject | None], None]
"""The next reply of a stream, which is queued; None: the stream ends."""


class ServiceError(Exception):
    """A call that the daemon refuses.

    `name`: NotLeader, NoSuccessor, UnknownMember, BadConfig, TimedOut, OutOfRange. `message` is for a person.
    """

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name
        self.message = message


Answer = Callable[[JsonObject | bytes | ServiceError], None]
"""To be called once, when there is an answer, or why there is none; who asked may have gone meanwhile. bytes: the encoded reply
(`conversation.encoded_reply`), which all who ask for something large share."""


class Service(Protocol):
    """Implemented by the daemon's runtime; called on its event loop."""

    def status(self) -> JsonObject:
        """`kingctl status --json`. Adds: node.address, leader.tags, "problems": [sentences about the network]."""

    def members(self) -> JsonObject:
        """`kingctl members --json`."""

    def history(self) -> JsonObject:
        """{"version": 1, "events": [...]}, oldest first, at most 256."""

    def counters(self) -> JsonObject:
        """What has been counted since the start of the process, for `kingctl metrics`; see `Counters` of org.kingd.varlink."""

    def examine(self, for_ms: int) -> JsonObject:
        """Begin to try each path to each member, for so long; {"version": 1, "run": id, "for_ms": n}. OutOfRange, Busy."""

    def examined(self, run: str) -> JsonObject:
        """What has come of it; see `Examined` of org.kingd.varlink. OutOfRange."""

    def survey(self, answer: Answer) -> None:
        """`kingctl survey --json`; takes up to half a second when a member is silent."""

    def histories(self, answer: Answer) -> None:
        """What `kingctl history --all` shows: of all members what they told their users; half a second when one is silent."""

    def watch(self, tell: Tell) -> Callable[[], None]:
        """The present state as an event with "initial": true, then every change. To be called when the connection has ended:
        what is returned."""

    def drain(self, name: str, tell: Tell) -> Callable[[], None]:
        """{"version": 1, "draining": bool}, now and whenever it changes. While anybody is served this, a
        hand-over on purpose and a planned stop wait until each of these names has said `drained`. To be called when the
        connection has ended: what is returned."""

    def hold(self, name: str | None, push: Push) -> Callable[[], None]:
        """{"version": 1, "leads": bool | null, "term", "node_id", "leader_id", "boottime_us", "valid_us", "draining": bool,
        "exclusive": bool}, pushed now, whenever it changes, and while this host leads whenever that lasts longer or less
        long. With a `name` it is waited for as by `drain`. To be called when the connection has ended: what is returned."""

    def drained(self, name: str) -> JsonObject:
        """{"version": 1}."""

    def step_down(self, answer: Answer, *, to: str | None, for_ms: int) -> None:
        """Hand leadership over; {"version": 1, "leader": {...} | null} once another leads. NotLeader, NoSuccessor,
        UnknownMember, TimedOut.
        """

    def set_priority(self, priority: int) -> JsonObject:
        """{"version": 1, "priority": n, "previous": m, "persistent": false}. OutOfRange."""

    def set_fitness(self, name: str, *, unfit: str | None, for_ms: int) -> JsonObject:
        """Whether this host is fit to lead, as `name` sees it: `unfit` is why not. Good for so long, unless it is said again.
        {"version": 1, "eligible": bool, "reloads": n}; Busy."""

    def set_maintenance(self, answer: Answer, *, on: bool, for_ms: int | None, reason: str) -> None:
        """{"version": 1, "on": bool, "until": RFC 3339 | null, "saved": bool}, when it is in force and kept."""

    def reload(self) -> JsonObject:
        """{"version": 1, "applied": [keys], "needs_restart": [keys]}. BadConfig: nothing was changed."""
