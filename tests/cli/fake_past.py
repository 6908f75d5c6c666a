"""What `Histories` answers: two hosts that saw one change."""

from kingd.control.service import JsonObject


def told(kind: str, *, leader: str | None, role: str = "follower", **more: object) -> JsonObject:
    """An event as another host tells it."""
    return {
        "event": kind,
        "time": "2026-11-23T12:00:00.000Z",
        "role": role,
        "term": 12,
        "seq": 1,
        "leader": leader,
        "previous_leader": None,
        "reason": "leader-timeout",
        "evidence": {"words": "2 of 2 peers agree", "agreed": 2, "of": 2},
        **more,
    }


def histories(here: JsonObject, leader: JsonObject) -> JsonObject:
    """Of this host, which follows, and of the leader."""
    name = str(leader["name"])
    members = [
        {
            "id": here["id"],
            "name": here["name"],
            "ok": True,
            "more": False,
            "events": [told("leader-changed", leader=name)],
        },
        {
            "id": leader["id"],
            "name": name,
            "ok": True,
            "more": False,
            "events": [told("elected", leader=name, role="leader")],
        },
    ]
    return {"version": 1, "members": members}
