"""Who is who: ids, names, keys, clusters, versions, lists of voters."""

from collections.abc import Iterator

from kingd.doctor.facts import Facts, Stranger, Trouble, host_of
from kingd.doctor.finding import Finding, Severity

_NO_VOTERS = "00000000"


def judge(facts: Facts) -> Iterator[Finding]:
    for trouble in facts.troubles:
        yield from _of_trouble(facts, trouble)
    for stranger in facts.strangers:
        yield from _of_stranger(facts, stranger)
    yield from _lists(facts)


def _of_trouble(facts: Facts, trouble: Trouble) -> Iterator[Finding]:
    match trouble.kind:
        case "SharedId":
            yield Finding(
                code="dup-id",
                what="another host uses this one's node id: its state folder was copied",
                evidence=f"id {facts.id}; {trouble.text}",
                remedy="systemctl stop kingd && rm -r /var/lib/kingd/* && systemctl start kingd",
                where=host_of(trouble.address) if trouble.address else "",
            )
        case "SharedName":
            yield Finding(
                code="dup-name",
                what="two hosts have one name",
                evidence=trouble.text,
                remedy="hostnamectl hostname NEW-NAME && systemctl restart kingd",
            )
        case "RolledBack":
            yield Finding(
                code="rolled-back",
                what="this host's state folder is older than what others remember",
                evidence=trouble.text,
                remedy="ls -l --time-style=full-iso /var/lib/kingd",
            )
        case "Unanswering-key":
            yield _wrong_key(host_of(trouble.address), trouble.text)
        case "Recovering":
            yield Finding(
                code="recovering",
                what="this voter does not know what it promised before",
                evidence=trouble.text,
                remedy="kingctl status",
            )
        case "OtherLists" | "ListWaits":
            yield Finding(
                code="voters-differ",
                what="not all hosts have the same list of voters",
                evidence=trouble.text,
                remedy="grep -rn voters /etc/kingd",
            )
        case _:
            pass


def _of_stranger(facts: Facts, stranger: Stranger) -> Iterator[Finding]:
    host = host_of(stranger.address)
    match stranger.why:
        case "bad-key":
            yield _wrong_key(host, f"what {stranger.address} sends is not signed with a key of this host")
        case "other-cluster":
            is_alone = not any(peer.state == "alive" for peer in facts.peers)
            yield Finding(
                code="other-cluster",
                what=f"{host} belongs to another cluster",
                evidence=f"heard from {stranger.address} within a minute; this host "
                + ("knows nobody of its own cluster" if is_alone else f"knows {len(facts.peers)} of its own"),
                remedy="grep -n '^cluster' /etc/kingd/kingd.toml",
                where=host,
                severity=Severity.FINDING if is_alone else Severity.NOTE,
            )
        case "version":
            yield Finding(
                code="version",
                what=f"{host} speaks another version of the protocol",
                evidence=f"heard from {stranger.address} within a minute",
                remedy="apt-get install kingd",
                where=host,
            )
        case _:
            pass


def _wrong_key(host: str, evidence: str) -> Finding:
    return Finding(
        code="wrong-key",
        what=f"{host} has another cluster key than this host, or none",
        evidence=evidence,
        remedy="sha256sum /etc/kingd/cluster.key",
        where=host,
    )


def _lists(facts: Facts) -> Iterator[Finding]:
    for peer in facts.peers:
        if peer.state != "alive" or peer.voters == facts.digest:
            continue
        code = "mode-differs" if _NO_VOTERS in (peer.voters, facts.digest) else "voters-differ"
        votes = {_NO_VOTERS: "no voters"}
        yield Finding(
            code=code,
            what="{peers} has "
            + (
                "no voters, or has some where this host has none"
                if code == "mode-differs"
                else "another list of voters"
            ),
            evidence=f"list of {peer.name}: {votes.get(peer.voters, peer.voters)}; of this host: "
            f"{votes.get(facts.digest, facts.digest)}",
            remedy="grep -rn voters /etc/kingd",
            where=peer.name,
            peers=(peer.name,),
        )
