"""Findings and the matrix, for people and for programs."""

from collections.abc import Iterator, Sequence

from kingd.cli.text import age, clean, table
from kingd.core.wire.trial import WAYS
from kingd.doctor.facts import BACK, THERE, Cell, Facts, Peer
from kingd.doctor.finding import Finding, Severity

_ROWS_MAX = 8  # peers: of more, those are shown on whose way something was lost
_ARROW = {THERE: "to it", BACK: "from it"}


def as_json(facts: Facts, found: Sequence[Finding]) -> dict[str, object]:
    return {
        "version": 1,
        "healthy": not [each for each in found if each.severity is not Severity.NOTE],
        "node": facts.name,
        "took_ms": facts.took_ms,
        "findings": [each.told() for each in found if each.severity is not Severity.NOTE],
        "notes": [each.told() for each in found if each.severity is Severity.NOTE],
        "peers": [_peer(peer) for peer in facts.peers],
        "more_peers": facts.more_peers,
    }


def _peer(peer: Peer) -> dict[str, object]:
    return {
        "id": peer.id,
        "name": peer.name,
        "address": peer.address,
        "version": peer.version,
        "state": peer.state,
        "answered": peer.answered,
        "paths": [
            {"interface": interface, "path": path, "direction": direction, "sent": cell.sent, "got": cell.got}
            for (interface, path, direction), cell in peer.cells.items()
        ],
    }


def lines(facts: Facts, found: Sequence[Finding]) -> Iterator[str]:
    """One what, its evidence, its remedy; then the matrix, and what is well but for something."""
    for finding in found:
        if finding.severity is not Severity.NOTE:
            yield f"{finding.code}: {clean(finding.what)}"
            yield f"    {clean(finding.evidence)}"
            yield f"    {f'on {clean(finding.where)}: ' if finding.where else ''}{clean(finding.remedy)}"
    shown = _shown(facts.peers)
    if shown:
        used = [way.word for way in WAYS if any(way.word == path for peer in shown for _, path, _ in peer.cells)]
        header = ("PEER", "NETWORK", "ARRIVED", *used)
        yield table(header, [row for peer in shown for row in _rows(peer, used)])
    yield _verdict(facts, found)
    for finding in found:
        if finding.severity is Severity.NOTE:
            yield f"but {finding.code}: {clean(finding.what)} ({clean(finding.remedy)})"


def _shown(peers: Sequence[Peer]) -> list[Peer]:
    if len(peers) <= _ROWS_MAX:
        return list(peers)
    return [peer for peer in peers if not peer.answered or any(cell.got < cell.sent for cell in peer.cells.values())]


def _rows(peer: Peer, used: Sequence[str]) -> Iterator[list[object]]:
    if not peer.answered:
        yield [peer.name, peer.address, "no answer", *(None for _ in used)]
    for interface in peer.interfaces if peer.answered else []:
        for direction in (THERE, BACK):
            cells = (peer.cells.get((interface, path, direction)) for path in used)
            yield [peer.name, interface, _ARROW[direction], *map(_cell, cells)]


def _cell(cell: Cell | None) -> str | None:
    return f"{cell.got}/{cell.sent}" if cell is not None and cell.sent else None


def _verdict(facts: Facts, found: Sequence[Finding]) -> str:
    answered = len([peer for peer in facts.peers if peer.answered])
    asked = f"{answered} of {len(facts.peers)} peers answered, in {age(facts.took_ms)}"
    if facts.more_peers:
        asked += f"; {facts.more_peers} more were not asked"
    wrong = [each for each in found if each.severity is Severity.FINDING]
    unknown = [each for each in found if each.severity is Severity.UNKNOWN]
    if wrong:
        return f"{len(wrong)} found; {asked}"
    return f"nothing found, but not all is known; {asked}" if unknown else f"healthy; {asked}"
