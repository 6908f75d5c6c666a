"""What is seen, on standard output: a line a datagram for people, or a JSON object a line for programs (docs/sniff.md)."""

import ipaddress
import itertools
import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

from kingd.core.wire import layout
from kingd.core.wire.endpoint import Endpoint
from kingd.core.wire.message import (
    NO_BALLOT,
    Ack,
    Announce,
    Claim,
    Datagram,
    Grant,
    Heartbeat,
    Offer,
    Ping,
    Pong,
    Probe,
    ProbeAck,
    Ready,
    Refuse,
    Resign,
)
from kingd.tools.datagram import Seen
from kingd.tools.frames import PORT
from kingd.tools.rounds import Rounds
from kingd.tools.words import Names, sentence

_PATH_MIN, _PATH_MAX = 18, 60
_PAUSE_S, _NEWS_EVERY_S = 1.0, 10.0  # what was left out is told before a line after a pause, and in a long one
_KNOWN_MAX, _CLUSTERS_MAX = 65536, 256
Write = Callable[[str], None]


class Report:
    """`is_quiet`: what says nothing new is left out, and counted."""

    def __init__(
        self, write: Write, *, names: Names, as_json: bool = False, is_quiet: bool = False, cluster: int | None = None
    ) -> None:
        self._names = names
        self._rounds: dict[int, Rounds] = {}  # by the cluster's id
        self._numbers = itertools.count(1)
        self._show: Callable[[Seen, int | None], None] = self._as_json if as_json else self._as_line
        self._heading: Write = (lambda _text: None) if as_json else self._write_heading
        self._write = write
        self._is_quiet = is_quiet
        self._routine = _Routine()
        self._left_out: Counter[str] = Counter()
        self._said_s = 0.0
        self._day: date | None = None
        self._cluster = cluster
        self._path_width, self._who_width = _PATH_MIN, 4

    def add(self, seen: Seen) -> None:
        time_s = seen.udp.time_s
        said = seen.datagram if seen.reason is None and not seen.is_copy else None
        if said is not None:
            self._names.learn(said)
        rounds = self._rounds_of(seen)
        headings = rounds.begin(time_s, said) if said is not None else []
        is_routine = self._is_quiet and (seen.is_copy or (said is not None and self._routine.has(said)))
        if is_routine:
            self._left_out[_kind(seen)] += 1
        if self._left_out and time_s - self._said_s > (_NEWS_EVERY_S if is_routine else _PAUSE_S):
            self._tell_left_out()
            self._said_s = time_s
        for heading in headings:
            self._heading(self._foreign(seen) + heading)
        if not is_routine:
            self._show(seen, rounds.number)
            self._said_s = time_s
        for heading in rounds.end(time_s, said) if said is not None else []:
            self._heading(self._foreign(seen) + heading)

    def _rounds_of(self, seen: Seen) -> Rounds:
        cluster = 0 if seen.datagram is None else seen.datagram.header.cluster
        if cluster not in self._rounds and len(self._rounds) >= _CLUSTERS_MAX:
            self._rounds.pop(next(iter(self._rounds)))
        return self._rounds.setdefault(cluster, Rounds(self._names, self._numbers))

    def end(self) -> None:
        if self._left_out:
            self._tell_left_out()

    def _tell_left_out(self) -> None:
        counts = ", ".join(f"{count} {kind}" for kind, count in self._left_out.most_common())
        self._left_out.clear()
        self._heading(f"left out, for they say nothing new: {counts}")

    def _write_heading(self, text: str) -> None:
        self._write(f"-- {text}")

    # -- for people ----------------------------------------------------------------------------------------------------

    def _as_line(self, seen: Seen, number: int | None) -> None:
        when = datetime.fromtimestamp(seen.udp.time_s).astimezone()
        if when.date() != self._day:
            self._day = when.date()
            self._heading(f"{when:%Y-%m-%d, UTC%z}")
        path = f"{_shown(seen.udp.source)} > {_shown(seen.udp.target)}"
        who, term = self._who(seen), _term(seen)
        self._path_width = min(max(self._path_width, len(path)), _PATH_MAX)
        self._who_width = max(self._who_width, len(who))
        words = [] if seen.datagram is None else [self._foreign(seen) + sentence(seen.datagram, self._names)]
        words += ["(the same again, by another way)"] if seen.is_copy else []
        words += [f"REJECTED ({seen.reason}): {seen.why}"] if seen.reason is not None else []
        self._write(
            f"{when:%H:%M:%S}.{when.microsecond // 100:04d} {' ' if number is None else '|'} {path:<{self._path_width}}  "
            f"{who:<{self._who_width}}  {_kind(seen):<9}  {'-' if term is None else f'term {term}':<7}  {'  '.join(words)}"
        )

    def _who(self, seen: Seen) -> str:
        if seen.datagram is not None:
            return self._names.of(seen.datagram.header.source)
        return "?" if seen.header is None else f"{self._names.of(int(seen.header['source'], 16))}?"

    def _foreign(self, seen: Seen) -> str:
        """Of several clusters, all but the first are named, by the beginning of their ids."""
        cluster = None if seen.datagram is None else seen.datagram.header.cluster
        if self._cluster is None:
            self._cluster = cluster
        return "" if cluster is None or cluster == self._cluster else f"[cluster {f'{cluster:016x}'[:8]}] "

    # -- for programs --------------------------------------------------------------------------------------------------

    def _as_json(self, seen: Seen, number: int | None) -> None:
        datagram, header = seen.datagram, seen.header
        rejected = None if seen.reason is None else {"reason": seen.reason, "meaning": seen.why}
        self._write(
            json.dumps(
                {
                    "version": 1,
                    "time": f"{datetime.fromtimestamp(seen.udp.time_s, UTC):%Y-%m-%dT%H:%M:%S.%fZ}",
                    "interface": seen.udp.source.interface or None,
                    "source": str(seen.udp.source),
                    "destination": str(seen.udp.target),
                    "type": None if header is None else _kind(seen).lower(),
                    "from": self._node(header, "source"),
                    "to": self._node(header, "destination"),
                    "term": _term(seen),
                    "says": None if datagram is None else sentence(datagram, self._names),
                    "rejected": rejected,
                    "copy": seen.is_copy,
                    "round": number,
                    "header": header,
                    "body": seen.body,
                }
            )
        )

    def _node(self, header: dict[str, Any] | None, key: str) -> dict[str, str | None] | None:
        if header is None or not int(header[key], 16):
            return None
        return {"id": header[key], "name": self._names.known(int(header[key], 16))}


class _Routine:
    """Remembers what was said last to whom, for what is said again and again, or sent again until it is answered."""

    def __init__(self) -> None:
        self._said: dict[tuple[type, int, int], object] = {}

    def has(self, datagram: Datagram) -> bool:
        header, body = datagram.header, datagram.body
        match body:
            case Ping(polling=False) | Pong() | Ack() | Probe() | ProbeAck():
                return True
            case Heartbeat():
                said: object = header.leader, body.lonely, body.alive
            case Announce():
                said = header.role, header.leader, header.priority, header.eligible, header.ineligible, body
            case Ping(heard=heard):
                said = heard
            case _:
                said = body
        to = 0 if isinstance(body, Announce) else header.destination  # that is for whoever hears it
        key = type(body), header.session, to
        if self._said.get(key) == said:
            return True
        if len(self._said) < _KNOWN_MAX:
            self._said[key] = said
        return False


def _kind(seen: Seen) -> str:
    if seen.header is None:
        return "?"
    number = int(seen.header["type"])
    return layout.BODIES[number].name if number in layout.BODIES else f"TYPE-{number}"


def _term(seen: Seen) -> int | None:
    """The one that it is about, else the one in which its sender leads or follows."""
    if seen.datagram is None:
        return None
    match seen.datagram.body:
        case Claim(term=term) | Grant(term=term) | Refuse(term=term):
            return term
        case Resign(ballot=ballot) | Offer(ballot=ballot) | Ready(ballot=ballot) if ballot != NO_BALLOT:
            return ballot.term
        case _:
            leader = seen.datagram.header.leader
            return None if leader == NO_BALLOT else leader.term


def _shown(endpoint: Endpoint) -> str:
    """The group and kingd's own port go without saying."""
    if endpoint.host == "255.255.255.255":
        return "broadcast"
    if ipaddress.ip_address(endpoint.host).is_multicast:
        return "group"
    return endpoint.host if endpoint.port == PORT else str(endpoint)
