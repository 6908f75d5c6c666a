"""The core's facts as the JSON objects of INTERFACE.md 4. Pure: everything comes in as arguments."""

from kingd import __version__
from kingd.config import Config
from kingd.control.service import JsonObject
from kingd.core.effect import Event, Peer, Surveyed
from kingd.core.facts import MemberRow
from kingd.core.status import Status
from kingd.core.wire.message import Reason, Role
from kingd.daemon import evidence, sentences
from kingd.daemon.clock import Instant, moment

ROLES = {
    Role.JOINING: "joining",
    Role.FOLLOWER: "follower",
    Role.SEEKING: "candidate",
    Role.CANDIDATE: "candidate",
    Role.LEADER: "leader",
}


def node_id(value: int) -> str:
    return f"{value:016x}"


def peer(value: Peer | None, *, here: str | None, tags: tuple[tuple[str, str], ...] | None = None) -> JsonObject | None:
    """`here`: this node's own address, for a peer without one is this node."""
    if value is None:
        return None
    found: JsonObject = {
        "id": node_id(value.node),
        "name": value.name,
        "priority": value.priority,
        "address": here if value.endpoint is None else str(value.endpoint),
    }
    return found if tags is None else found | {"tags": dict(tags)}


def status(
    facts: Status,
    config: Config,
    *,
    detail: str | None,
    here: str | None,
    since: str,
    strangers: list[JsonObject],
    problems: list[str],
    rejected: dict[str, int],
    rejected_lately: dict[str, int],
    security: dict[str, object],
    configured_priority: int,
) -> JsonObject:
    age_us, ineligible_us = facts.leader_age_us, facts.ineligible_us
    return {
        "version": 1,
        "cluster": config.cluster,
        "mode": "quorum" if facts.voters else "availability",
        "node": {
            "id": node_id(facts.me.node),
            "name": facts.me.name,
            "priority": facts.me.priority,
            "configured_priority": configured_priority,
            "address": here,
            "role": ROLES[facts.role],
            "eligible": facts.eligible,
            "ineligible_reason": facts.ineligible_reason,
            "ineligible_detail": detail,
            "ineligible_ms": None if ineligible_us is None else ineligible_us // 1000,
            "version": __version__,
        },
        "leader": peer(facts.leader, here=here, tags=facts.leader_tags),
        "term": facts.term,
        "leader_age_ms": None if age_us is None else age_us // 1000,
        "valid_ms": None if facts.valid_us is None else facts.valid_us // 1000,
        "since": since,
        "reason": facts.reason.word,
        "members": {"alive": facts.alive, "dead": facts.dead},
        "quorum": {
            "voters": list(facts.voters),
            "reachable": facts.voters_reachable,
            "missing": list(facts.voters_missing),
            "ok": facts.quorum_ok,
        },
        "strangers": strangers,
        "problems": [*map(sentences.problem, facts.problems), *problems],
        "rejected": rejected,
        "rejected_lately": rejected_lately,
        "security": security,
    }


def held(facts: Status, *, boottime_us: int, draining: bool, exclusive: bool) -> JsonObject:
    """`boottime_us`: the moment of `facts`, from which valid_us counts."""
    leads = facts.role is Role.LEADER
    is_unsure = facts.leader is None and facts.reason is Reason.STALLED
    return {
        "version": 1,
        "leads": None if is_unsure else leads,
        "term": facts.term,
        "node_id": node_id(facts.me.node),
        "leader_id": None if facts.leader is None else node_id(facts.leader.node),
        "boottime_us": boottime_us,
        "valid_us": facts.valid_us if leads else None,
        "draining": draining,
        "exclusive": exclusive,
    }


def members(rows: list[MemberRow], *, here: str | None) -> JsonObject:
    return {"version": 1, "members": [_member(row, here) for row in rows]}


def _member(row: MemberRow, here: str | None) -> JsonObject:
    return {
        "id": node_id(row.peer.node),
        "name": row.peer.name,
        "priority": row.peer.priority,
        "address": here if row.peer.endpoint is None else str(row.peer.endpoint),
        "role": ROLES[row.role],
        "state": str(row.state),
        "eligible": row.eligible,
        "ineligible_reason": row.ineligible_reason,
        "last_heard_ms": row.silent_us // 1000,
        "version": row.version,
    }


def survey(result: Surveyed) -> JsonObject:
    """All alive members agree when they all name the same leader. Who does not answer and says that it leads is alive."""
    leaders = {row.leader_name for row in result.rows if row.ok or row.leader_name}
    nodes = [
        {
            "id": node_id(row.node),
            "name": row.name,
            "priority": row.priority,
            "leader": row.leader_name or None,
            "term": row.term,
            "ok": row.ok,
            "eligible": row.eligible,
            "ineligible_reason": row.ineligible_reason,
            "rtt_ms": None if row.rtt_us is None else row.rtt_us / 1000,
        }
        for row in result.rows
    ]
    return {"version": 1, "agree": len(leaders) == 1 and "" not in leaders, "nodes": nodes}


def event(
    value: Event,
    at: Instant,
    *,
    here: str | None,
    seq: int,
    detail: str | None = None,
    repeat: int = 1,
) -> JsonObject:
    """`detail`: more evidence, which is known here only. `repeat`: how often this was told within the hour, with this time."""
    found: JsonObject = {
        "version": 1,
        "event": str(value.kind),
        "time": moment(at.wall_s),
        "monotonic_ns": at.monotonic_ns,
        "role": ROLES[value.role],
        "previous_role": ROLES[value.previous_role],
        "term": value.term,
        "seq": seq,
        "leader": peer(value.leader, here=here),
        "previous_leader": peer(value.previous_leader, here=here),
        "reason": value.reason.word,
        "evidence": evidence.view(value.evidence, value.kind, detail=detail),
        "repeat": repeat,
    }
    if value.member is not None:
        found["member"] = peer(value.member, here=here)
    return found if value.on is None else found | {"on": value.on}


def line(event: Event, *, said: str = "", repeat: int = 1) -> str:
    """One line a change: stable words first, then key=value (people grep these). `said`: the evidence in words."""
    parts = [str(event.kind), f"term={event.term}", f"leader={event.leader.name if event.leader else '-'}"]
    if event.previous_leader is not None and event.previous_leader != event.leader:
        parts.append(f"previous={event.previous_leader.name}")
    if event.member is not None:
        parts.append(f"member={event.member.name} address={event.member.endpoint}")
    if event.on is not None:
        parts.append(f"on={'yes' if event.on else 'no'}")
    parts.append(f"reason={event.reason.word}")
    if repeat > 1:
        parts.append(f"repeat={repeat}")
    return " ".join(parts) + (f": {said}" if said else "")


def journal_fields(event: Event, *, said: str, repeat: int) -> dict[str, object]:
    """What journalctl finds it by: KINGD_EVENT=deposed, and so on."""
    found: dict[str, object] = {
        "kingd_event": str(event.kind),
        "kingd_term": event.term,
        "kingd_role": ROLES[event.role],
        "kingd_leader": event.leader.name if event.leader else "",
        "kingd_previous_leader": event.previous_leader.name if event.previous_leader else "",
        "kingd_reason": event.reason.word,
        "kingd_evidence": said,
        "kingd_repeat": repeat,
    }
    return found if event.member is None else found | {"kingd_member": event.member.name}
