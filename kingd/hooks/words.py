"""What a hook is given: its environment and standard input (INTERFACE.md 6), and its arguments. Pure.

A file whose name ends in `.keepalived` is called as keepalived calls its notify scripts, and only when what that is about has
changed: INSTANCE name MASTER|BACKUP|FAULT|STOP priority."""

import json
from collections.abc import Mapping

from kingd.config.commands import COMMAND_PATH
from kingd.control.answer import flag, number, section, text
from kingd.control.client import JsonObject
from kingd.records import dataclass

_KEEPALIVED = ".keepalived"
# Of our own environment; all else there is of systemd, or of whoever started us.
_KEPT = ("PATH", "LANG", "TZ", "HOME", "USER", "LOGNAME", "SHELL")
_FAULTS = ("maintenance", "check-failed", "state-not-writable", "duplicate-id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Of this host, from `Status`."""

    cluster: str = ""
    node_name: str = ""
    node_id: str = ""
    priority: int = 0
    is_faulty: bool = False  # it may not lead, and that is no step-down
    leads: bool = False


def facts_of(status: JsonObject) -> Facts:
    """BadAnswer: the daemon says something else than it should."""
    node = section(status, "node")
    return Facts(
        cluster=text(status, "cluster"),
        node_name=text(node, "name"),
        node_id=text(node, "id"),
        priority=number(node, "priority"),
        is_faulty=not flag(node, "eligible") and node.get("ineligible_reason") in _FAULTS,
        leads=text(node, "role") == "leader",
    )


def environment(event: JsonObject, facts: Facts, ours: Mapping[str, str]) -> dict[str, str]:
    """What is not known is empty; every name is always there."""
    own = {name: ours[name] for name in ours if name in _KEPT or name.startswith("LC_")}
    told = {
        "EVENT": event.get("event"),
        "ROLE": event.get("role"),
        "PREVIOUS_ROLE": event.get("previous_role"),
        "CLUSTER": facts.cluster,
        "NODE_NAME": facts.node_name,
        "NODE_ID": facts.node_id,
        "PRIORITY": facts.priority,
        "LEADER_NAME": _of_peer(event, "leader", "name"),
        "LEADER_ID": _of_peer(event, "leader", "id"),
        "LEADER_ADDRESS": _of_peer(event, "leader", "address"),
        "PREVIOUS_LEADER_NAME": _of_peer(event, "previous_leader", "name"),
        "TERM": event.get("term"),
        "SEQ": event.get("seq"),
        "REASON": event.get("reason"),
        "TIME": event.get("time"),
    }
    named = {f"KINGD_{name}": "" if value is None else str(value) for name, value in told.items()}
    return {"PATH": COMMAND_PATH} | own | named


def _of_peer(event: JsonObject, peer: str, key: str) -> object:
    found = event.get(peer)
    return found.get(key) if isinstance(found, dict) else None


def standard_input(event: JsonObject) -> bytes:
    return json.dumps(event).encode() + b"\n"


def is_for_keepalived(name: str) -> bool:
    return name.endswith(_KEEPALIVED)


def keepalived_state(event: JsonObject, facts: Facts) -> str:
    if event["event"] == "stopping":
        return "STOP"
    if event["event"] == "elected" or (event["event"] == "overlap-resolved" and event.get("role") == "leader"):
        return "MASTER"
    return "FAULT" if facts.is_faulty else "BACKUP"


def keepalived_arguments(state: str, *, instance: str, priority: int) -> list[str]:
    return ["INSTANCE", instance, state, str(priority)]
