"""What Hold pushes, where Status says this."""

from kingd.control.service import JsonObject


def held(status: JsonObject, *, told_us: int, draining: bool) -> JsonObject:
    node, leader, valid_ms = status["node"], status["leader"], status["valid_ms"]
    assert isinstance(node, dict)
    assert isinstance(leader, dict | None)
    leads = leader is not None and node["role"] == "leader" and leader["id"] == node["id"]
    assert isinstance(valid_ms, int | None)
    return {
        "version": 1,
        "leads": None if leader is None and status["reason"] == "stalled" else leads,
        "term": status["term"],
        "node_id": node["id"],
        "leader_id": None if leader is None else leader["id"],
        "boottime_us": told_us,
        "valid_us": valid_ms * 1000 if leads and valid_ms is not None else None,
        "draining": draining,
        "exclusive": False,
    }
