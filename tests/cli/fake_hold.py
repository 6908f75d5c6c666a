"""What Hold pushes, where Status says this, and when."""

from kingd.control.service import JsonObject
from kingd.daemon.clock import now_us
from kingd.daemon.holders import Holders

_HEARTBEAT_S = 0.005  # at most so often


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


def beat(holders: Holders, status: JsonObject) -> float:
    """As a leader does, who lasts longer with each. Seconds until the next one."""
    valid_ms = status["valid_ms"]
    lasts_us = 1000 * valid_ms if isinstance(valid_ms, int) else 0
    holders.changed()
    holders.lasts(now_us() + lasts_us if lasts_us else 0)
    return max(lasts_us / 3e6, _HEARTBEAT_S)
