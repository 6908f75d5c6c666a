"""Facts in, findings out: all judges in their order, without what another finding explains, and with one line for many
peers."""

from collections.abc import Iterable
from dataclasses import replace

from kingd.doctor import judges_election, judges_host, judges_paths, judges_silence, judges_who
from kingd.doctor.facts import Facts
from kingd.doctor.finding import Finding, Severity

_EVIDENCE_MAX = 3  # peers whose numbers are shown; all are named
_NOT_REACHED = frozenset(
    {"one-way", "fw-remote", "uc-filtered", "no-path", "peer-gone", "ipv4-blocked", "ipv6-blocked"}
)
_NOT_SENT = {
    "unicast": _NOT_REACHED | {"mtu", "loss"},
    "multicast": frozenset({"mc-filtered"}),
    "broadcast": frozenset({"bc-filtered"}),
}
# code -> what it explains, of whomever that is said
_OF_ALL = {
    "rp-filter": _NOT_REACHED | {"mc-filtered", "bc-filtered"},
    "no-address": _NOT_REACHED | {"no-leader"},
    "no-carrier": _NOT_REACHED | {"no-leader", "network-error"},
    "dup-id": _NOT_REACHED | {"no-leader", "cannot-ask", "dup-name"},
    "voters-differ": frozenset({"no-leader"}),
    "flood": frozenset({"loss", "cannot-ask", "loop-stall"}),
}
# ... and of the same peers
_OF_SAME = {
    "fw-local-in": _NOT_REACHED | {"mc-filtered", "bc-filtered"},
    "mc-filtered": frozenset({"bc-filtered", "loss"}),
    "mc-ages-out": frozenset({"loss"}),
    "wrong-key": frozenset({"fw-remote"}),
}


def diagnose(facts: Facts) -> list[Finding]:
    found: list[Finding] = []
    for judge in (
        judges_host.judge,
        judges_who.judge,
        judges_silence.judge,
        judges_paths.judge,
        judges_election.judge,
    ):
        found += judge(facts)
    return _merged(each for each in found if not _is_explained(each, found))


def _is_explained(finding: Finding, found: Iterable[Finding]) -> bool:
    return any(
        finding.code in _of_all(other) or (finding.code in _OF_SAME.get(other.code, ()) and _share(finding, other))
        for other in found
        if other is not finding
    )


def _of_all(finding: Finding) -> frozenset[str]:
    if finding.code != "fw-local-out":
        return _OF_ALL.get(finding.code, frozenset())
    return frozenset().union(*(codes for what, codes in _NOT_SENT.items() if f" {what} on " in f" {finding.evidence}"))


def _share(one: Finding, other: Finding) -> bool:
    return bool(set(one.peers) & set(other.peers)) or (one.where != "" and one.where == other.where)


def _merged(findings: Iterable[Finding]) -> list[Finding]:
    """What differs by the peer alone is one finding; its evidence is that of the first few."""
    groups: dict[tuple[object, ...], list[Finding]] = {}
    for each in findings:
        is_shared = "{peers}" in each.what
        key = (
            (each.code, each.what, each.interface, each.severity)
            if is_shared
            else (each.code, each.what, each.evidence)
        )
        groups.setdefault(key, []).append(each)
    order = list(Severity)
    return sorted((_one(group) for group in groups.values()), key=lambda each: order.index(each.severity))


def _one(group: list[Finding]) -> Finding:
    peers = tuple(dict.fromkeys(name for each in group for name in each.peers))
    evidence = list(dict.fromkeys(each.evidence for each in group))
    more = f"; and {len(evidence) - _EVIDENCE_MAX} more like these" if len(evidence) > _EVIDENCE_MAX else ""
    shown = "; ".join(evidence[:_EVIDENCE_MAX]) + more
    where = ", ".join(dict.fromkeys(each.where for each in group if each.where))
    return replace(
        group[0], what=group[0].what.replace("{peers}", _names(peers)), evidence=shown, peers=peers, where=where
    )


def _names(peers: tuple[str, ...]) -> str:
    return peers[0] if len(peers) == 1 else f"{', '.join(peers[:-1])} and {peers[-1]}" if peers else "a peer"
