"""Peers that did not answer at all: what else is known of them decides what that means."""

from collections.abc import Iterator

from kingd.doctor.facts import Facts, Peer, Trouble, host_of
from kingd.doctor.finding import Finding, Severity
from kingd.doctor.judges_host import dropped_paths
from kingd.doctor.remedies import allow


def judge(facts: Facts) -> Iterator[Finding]:
    for peer in facts.peers:
        if not peer.answered and not dropped_paths(facts, peer):
            yield _silent(facts, peer)
    for trouble in facts.troubles:
        yield from _of_trouble(facts, trouble)


def is_reached_by_others(facts: Facts, peer: Peer) -> bool:
    """Somebody says that this peer was proven to hear it while it was examined."""
    views = [other.views.get(peer.id) for other in facts.peers if other.answered and other.id != peer.id]
    return any(view is not None and _is_of_now(facts, view.contact_ms) for view in views)


def _is_of_now(facts: Facts, ms: int | None) -> bool:
    return ms is not None and ms <= facts.took_ms


def _silent(facts: Facts, peer: Peer) -> Finding:
    since = f"{peer.name} ({peer.address}): 0 answers to all trials; heard {peer.heard_ms / 1000:.1f} s ago"
    if peer.refused:
        return _finding(
            "port-closed",
            "{peers} is there, and no daemon listens on it",
            f"{since}; its host answered {peer.refused} times that the port is closed (ICMP)",
            "systemctl start kingd",
            peer,
        )
    prohibited = facts.local.seen.prohibited.get(peer.host, 0) if facts.local.seen else 0
    if prohibited:
        return _finding(
            "fw-remote",
            "the firewall of {peers} refuses what this host sends to it",
            f"{since}; its host answered {prohibited} times that it is prohibited (ICMP)",
            allow("firewalld", facts.port),
            peer,
        )
    if peer.name in facts.views or _is_of_now(facts, peer.contact_ms):
        why = (
            "it is examined by too many, or flooded"
            if peer.version == facts.version
            else "it does not know these questions"
        )
        return _finding(
            "cannot-ask",
            f"{{peers}} cannot be asked: {why}",
            f"{since}; it answers the election's; its version is {peer.version}, this host's {facts.version}",
            "apt-get install --only-upgrade kingd",
            peer,
            severity=Severity.UNKNOWN,
        )
    return _unreachable(facts, peer, since)


def _unreachable(facts: Facts, peer: Peer, since: str) -> Finding:
    others = is_reached_by_others(facts, peer)
    if _is_of_now(facts, peer.heard_ms):
        code = "one-way" if others else "fw-remote"
        what = "what this host sends does not reach {peers}, and what it sends arrives here"
        whose = "others reach it" if others else "nobody else is known to reach it"
        return _finding(code, what, f"{since}; {whose}", allow("nft", facts.port), peer)
    if _is_isolated(facts, peer, others):
        return _finding(
            "wifi-isolation",
            "this host and {peers} cannot speak to each other at all, and both are on the network: the access point or switch "
            "keeps its clients apart",
            f"{since}; ARP finds {peer.host}: no, the gateway {facts.local.gateway}: yes",
            "bridge link set dev PORT isolated off  # or client isolation (AP isolation) of the access point",
            peer,
        )
    if others:
        return _finding(
            "no-path",
            "this host and {peers} do not reach each other, and others reach both",
            f"{since}; others hear it",
            f"ip route get {peer.host}",
            peer,
        )
    return _finding(
        "peer-gone",
        "{peers} is silent, and nobody hears it: it is off, or cut off",
        f"{since}; it said no goodbye",
        f"ping -c 3 {peer.host}",
        peer,
        where="",
    )


def _is_isolated(facts: Facts, peer: Peer, others: bool) -> bool:
    """No ARP answer from it, one from the gateway; and it is not just off: others hear it, or nobody is found by ARP."""
    local = facts.local
    gateway = local.neighbours.get(local.gateway or "")
    if gateway is None or not gateway.is_complete or _is_found(facts, peer):
        return False
    silent = [each for each in facts.peers if not each.answered]
    return others or (len(silent) > 1 and not any(_is_found(facts, each) for each in silent))


def _is_found(facts: Facts, peer: Peer) -> bool:
    found = facts.local.neighbours.get(peer.host)
    return found is None or found.is_complete


def _finding(
    code: str,
    what: str,
    evidence: str,
    remedy: str,
    peer: Peer,
    *,
    where: str | None = None,
    severity: Severity = Severity.FINDING,
) -> Finding:
    return Finding(
        code=code,
        what=what,
        evidence=evidence,
        remedy=remedy,
        where=peer.name if where is None else where,
        peers=(peer.name,),
        severity=severity,
    )


def _of_trouble(facts: Facts, trouble: Trouble) -> Iterator[Finding]:
    """Hosts that are no members, for a round trip with them was never made; or none at all."""
    host = host_of(trouble.address) if trouble.address else ""
    local = facts.local
    match trouble.kind:
        case "Unanswering" if not any(peer.host == host for peer in facts.peers):
            prohibited = local.seen.prohibited.get(host, 0) if local.seen else 0
            yield Finding(
                code="fw-remote",
                what=f"{host} is heard, and does not answer: what this host sends does not reach it",
                evidence=trouble.text + (f"; {prohibited} times prohibited (ICMP)" if prohibited else ""),
                remedy=allow("nft", facts.port),
                where=host,
            )
        case "DeafLeader" if not any(peer.host == host for peer in facts.peers):
            yield Finding(
                code="one-way",
                what=f"{host} says that it leads, and hears nobody",
                evidence=trouble.text,
                remedy=allow("nft", facts.port),
                where=host,
            )
        case "NoPeerAnswers":
            yield Finding(
                code="peer-gone",
                what="nobody was ever heard, though peers are configured or remembered",
                evidence=trouble.text,
                remedy=f"nft list ruleset | grep -nE 'drop|reject|policy|{facts.port}'",
            )
        case _:
            pass
