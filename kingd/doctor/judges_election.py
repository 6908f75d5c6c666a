"""What of it shows in the election, and what is only waiting to go wrong."""

from collections import Counter
from collections.abc import Iterator

from kingd.doctor.facts import Facts, host_of
from kingd.doctor.finding import Finding, Severity

_SAID_ELSEWHERE = (
    "NoLinks",
    "SharedId",
    "SharedName",
    "RolledBack",
    "Recovering",
    "OtherLists",
    "ListWaits",
    "Unanswering",
    "Unanswering-key",
    "DeafLeader",
    "AllFellSilent",
    "NoPeerAnswers",
    "Polled",
)


def judge(facts: Facts) -> Iterator[Finding]:
    yield from _leader(facts)
    yield from _floating(facts)
    for trouble in facts.troubles:
        if trouble.kind not in _SAID_ELSEWHERE and "-E" not in trouble.kind:
            yield Finding(
                code="daemon-problem",
                what="kingd says of itself that something is wrong",
                evidence=trouble.text,
                remedy="kingctl status",
            )
    yield from _notes(facts)


def _leader(facts: Facts) -> Iterator[Finding]:
    named = Counter(facts.views.values())
    if facts.mode == "quorum" and not facts.quorum_ok:
        yield Finding(
            code="no-quorum",
            what=f"too few voters are reached: {', '.join(facts.missing)} are missing",
            evidence=f"{len(facts.voters) - len(facts.missing)} of {len(facts.voters)} voters are reached; "
            f"{len(facts.voters) // 2 + 1} are needed",
            remedy="systemctl start kingd",
            where=facts.missing[0] if facts.missing else "",
        )
    elif facts.leader is None:
        yield Finding(
            code="no-leader",
            what="nobody leads",
            evidence=f"the last change: {facts.reason or 'none'}; {len(facts.views)} were asked",
            remedy="kingctl history",
        )
    elif len(named) > 1:
        shown = ", ".join(f"{count} say {name or 'nobody'}" for name, count in named.most_common())
        yield Finding(
            code="views-differ",
            what="not all hosts name the same leader",
            evidence=shown,
            remedy="kingctl survey",
        )


def _floating(facts: Facts) -> Iterator[Finding]:
    """This host's ARP table has a floating address at another host than the leader: nobody here has learned that it moved."""
    if facts.leader_address is None or facts.leader == facts.name:
        return
    neighbours = facts.local.neighbours
    leader = neighbours.get(host_of(facts.leader_address))
    for address in facts.local.floating:
        found = neighbours.get(address)
        if leader is not None and found is not None and found.is_complete and found.mac != leader.mac:
            yield Finding(
                code="vip-not-learned",
                what=f"{address} is known here as another host's than the leader's",
                evidence=f"{address} is at {found.mac}, {facts.leader} is at {leader.mac}",
                remedy=f"ip neigh flush to {address} dev {found.interface}",
                interface=found.interface,
            )


def _notes(facts: Facts) -> Iterator[Finding]:
    if not facts.has_key:
        yield Finding(
            code="no-key",
            what="no cluster key is set: whoever is on the network can lead",
            evidence="security.mode is off",
            remedy="kingctl keygen | install -m 0640 -o root -g kingd /dev/stdin /etc/kingd/cluster.key",
            severity=Severity.NOTE,
        )
    if len(facts.voters) == 2:
        yield Finding(
            code="two-voters",
            what="there are two voters: if one of them fails, nobody leads",
            evidence=f"voters: {', '.join(facts.voters)}",
            remedy="grep -rn voters /etc/kingd",
            severity=Severity.NOTE,
        )
    single = [peer for peer in facts.peers if peer.answered and len(peer.interfaces) == 1]
    if single and len(single) == len([peer for peer in facts.peers if peer.answered]):
        yield Finding(
            code="single-path",
            what="one network connects this host with all others",
            evidence=f"{len(single)} peers by {', '.join(sorted({peer.interfaces[0] for peer in single}))}",
            remedy="ip -brief address",
            severity=Severity.NOTE,
        )
