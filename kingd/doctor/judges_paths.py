"""The matrix: which ways lead where, in which direction, and what that pattern means.

Only an answered trial proves that a way works, and only three or more without a trace that it does not. What a peer's own
counts say is told from what did not come home."""

from collections.abc import Iterator, Sequence

from kingd.doctor.facts import BACK, ENOUGH, THERE, WAYS, Cell, Facts, Peer, host_of
from kingd.doctor.finding import Finding, Severity
from kingd.doctor.judges_host import dropped_paths
from kingd.doctor.judges_silence import is_reached_by_others
from kingd.doctor.remedies import allow, watch

_AGED = 10  # trials in a row, a second apart in a long examination
_LOST_SHARE = 0.1
_CHANCE = 1e-4  # a doctor who is asked daily is wrong once in decades


def judge(facts: Facts) -> Iterator[Finding]:
    for peer in facts.peers:
        if peer.answered:
            for interface in peer.interfaces:
                yield from _Matrix(facts, peer, interface).judge()


class _Matrix:
    """One peer on one network."""

    def __init__(self, facts: Facts, peer: Peer, interface: str) -> None:
        self._facts, self._peer, self._interface = facts, peer, interface
        self._dropped = {path for path, _ in dropped_paths(facts, peer)}

    def judge(self) -> Iterator[Finding]:
        dead = [family for family in (4, 6) if self._is_dead(family)]
        for family in (4, 6):
            if family in dead:
                if len(dead) == 1:
                    yield self._blocked(family)
            else:
                yield from self._unicast(family)
                yield from self._group(family)
                yield from self._large(family)
                yield from self._loss(family)

    def _cell(self, path: str | None, direction: str) -> Cell:
        return self._peer.cell(self._interface, path, direction)

    def _is_dead(self, family: int) -> bool:
        """Both have addresses of it, and nothing passes."""
        ways = [(path, direction) for path in WAYS[family] for direction in (THERE, BACK)]
        return self._cell(WAYS[family][0], THERE).is_dead and not any(self._cell(*way).works for way in ways)

    def _finding(
        self, code: str, what: str, paths: Sequence[tuple[str | None, str]], remedy: str, **more: object
    ) -> Finding:
        """Its evidence: those paths."""
        cells = [(path, direction, self._cell(path, direction)) for path, direction in paths]
        numbers = [f"{path} {direction} {cell}" for path, direction, cell in cells if cell.sent]
        known: dict[str, object] = {"peers": (self._peer.name,), "interface": self._interface} | more
        evidence = f"{self._peer.name} ({self._interface}): {', '.join(numbers)}"
        return Finding(code=code, what=what, evidence=evidence, remedy=remedy, **known)  # type: ignore[arg-type]

    def _blocked(self, family: int) -> Finding:
        single, group, *_ = WAYS[family]
        other = WAYS[10 - family][0]
        return self._finding(
            f"ipv{family}-blocked",
            f"nothing passes by IPv{family} between this host and {{peers}}, though both have addresses of it",
            [(single, THERE), (group, THERE), (single, BACK), (other, THERE)],
            allow(self._facts.local.firewall, self._facts.port),
            where=self._peer.name,
        )

    def _unicast(self, family: int) -> Iterator[Finding]:
        single, group, broadcast, _ = WAYS[family]
        there, back = self._cell(single, THERE), self._cell(single, BACK)
        groups_there = self._cell(group, THERE).works or self._cell(broadcast, THERE).works
        facts, peer = self._facts, self._peer
        paths = [(single, THERE), (group, THERE), (single, BACK), (group, BACK)]
        if there.is_dead and back.is_dead and groups_there:
            yield self._finding(
                "uc-filtered",
                "no unicast passes between this host and {peers}, and multicast does",
                paths,
                watch(self._interface, facts.port, f"host {host_of(facts.address or peer.address)}"),
                where=peer.name,
            )
        elif there.is_dead:
            is_local = not groups_there and is_reached_by_others(facts, peer)
            code, what = "fw-remote", "{peers} drops what this host sends to it"
            if is_local:
                code, what = (
                    "one-way",
                    "what this host sends does not reach {peers}, though others reach it",
                )
            yield self._finding(code, what, paths, allow("nft", facts.port), where=peer.name)
        elif back.is_dead and single not in self._dropped:
            yield self._finding(
                "one-way",
                "what {peers} sends by unicast does not reach this host, and what this host sends reaches it",
                paths,
                allow("nft", facts.port),
                where=peer.name if facts.local.seen is not None else "",
            )

    def _group(self, family: int) -> Iterator[Finding]:
        single, group, broadcast, _ = WAYS[family]
        silent, aged = [], []
        for direction in (THERE, BACK):
            cell, unicast = self._cell(group, direction), self._cell(single, direction)
            is_here = direction == BACK and group in self._dropped
            if cell.is_dead and unicast.works and not is_here:
                silent.append(direction)
            elif cell.works and cell.missed >= _AGED and unicast.works and unicast.missed < ENOUGH:
                aged.append(direction)
        paths = [(path, direction) for path in (group, broadcast, single) for direction in silent or aged]
        if silent:
            yield self._finding(
                "mc-filtered",
                f"multicast {_passes_not(silent)}, and unicast does",
                paths,
                watch(self._interface, self._facts.port),
                where=self._peer.name if THERE in silent else "",
            )
        elif aged:
            yield self._aged(group or "", aged, paths)
        if broadcast and not silent:
            yield from self._broadcast(single, group, broadcast)

    def _aged(self, group: str, aged: list[str], paths: Sequence[tuple[str | None, str]]) -> Finding:
        cell = self._cell(group, aged[0])
        found = self._finding(
            "mc-ages-out",
            f"multicast {_passes_not(aged)} any more: a switch that snoops IGMP has forgotten who wants it, for "
            "nobody asks (no querier)",
            paths,
            "ip link set dev BRIDGE type bridge mcast_querier 1  # or the IGMP querier of the switch",
        )
        after_s, missed = (cell.worked_ms or 0) // 1000, cell.missed
        evidence = f"{found.evidence}; it worked for {after_s} s, and {missed} in a row are missing since"
        return Finding(
            code=found.code,
            what=found.what,
            evidence=evidence,
            remedy=found.remedy,
            peers=found.peers,
            interface=found.interface,
        )

    def _broadcast(self, single: str | None, group: str | None, broadcast: str) -> Iterator[Finding]:
        silent = [d for d in (THERE, BACK) if self._cell(broadcast, d).is_dead and self._cell(single, d).works]
        if silent:
            yield self._finding(
                "bc-filtered",
                f"broadcast {_passes_not(silent)}; kingd needs it only where multicast does not pass",
                [(path, direction) for path in (broadcast, group) for direction in silent],
                watch(self._interface, self._facts.port, "broadcast"),
                severity=Severity.NOTE,
            )

    def _large(self, family: int) -> Iterator[Finding]:
        single, _, _, large = WAYS[family]
        lost = [d for d in (THERE, BACK) if self._cell(large, d).is_dead and self._cell(single, d).works]
        lost = [d for d in lost if not _may_be_chance(self._cell(large, d), self._cell(single, d))]
        if lost:
            yield self._finding(
                "mtu",
                f"what is large {_passes_not(lost)}, and what is small does",
                [(path, direction) for path in (large, single) for direction in lost],
                f"ip link show dev {self._interface}",
                where=self._peer.name,
            )

    def _loss(self, family: int) -> Iterator[Finding]:
        single, group, *_ = WAYS[family]
        lossy = [(path, d) for path in (single, group) for d in (THERE, BACK) if _is_lossy(self._cell(path, d))]
        if lossy:
            yield self._finding(
                "loss",
                "much is lost between this host and {peers}",
                lossy,
                f"ip -s link show dev {self._interface}",
            )


def _is_lossy(cell: Cell) -> bool:
    lost = cell.sent - cell.got
    return cell.works and lost >= ENOUGH and lost > _LOST_SHARE * cell.sent and cell.missed < _AGED


def _may_be_chance(dead: Cell, other: Cell) -> bool:
    """If as many of these were lost as of the others, might none be left?"""
    return (1 - other.got / other.sent) ** dead.sent > _CHANCE


def _passes_not(directions: list[str]) -> str:
    if len(directions) == 2:
        return "passes in neither direction between this host and {peers}"
    return "of this host does not reach {peers}" if directions == [THERE] else "of {peers} does not reach this host"
