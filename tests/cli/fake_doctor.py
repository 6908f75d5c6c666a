"""What `Examined` answers, where nothing is wrong unless a test says so."""

from kingd.control.service import JsonObject


def examinee(node: JsonObject, **more: object) -> JsonObject:
    """All that was sent to it arrived, and what it sent as well."""
    path: JsonObject = {"interface": "eth0", "sent": 20, "got": 20, "missed": 0, "last_ms": 300, "worked_ms": 1300}
    return {
        **{key: node[key] for key in ("id", "name", "address")},
        "version": "0.1.0",
        "state": "alive",
        "leads": True,
        "answered": True,
        "restarted": False,
        "refused": 0,
        "lag_ms": 1,
        "heard_ms": 37,
        "multicast_ms": 37,
        "contact_ms": 120,
        "voters": "00000000",
        "wanted": "00000000",
        "signed": True,
        "paths": [path | {"path": way, "direction": to} for way in ("mc4", "uc4") for to in ("there", "back")],
        "views": [],
        **more,
    }


def examined(*peers: JsonObject, **more: object) -> JsonObject:
    return {
        "version": 1,
        "done": True,
        "elapsed_ms": 1650,
        "more_peers": 0,
        "peers": [peer if "paths" in peer else examinee(peer) for peer in peers],
        "networks": [{"interface": "eth0", "paths": ["mc4"], "addresses": ["10.0.0.2"]}],
        "problems": [],
        "port": 5466,
        "heartbeat_ms": 100,
        "voters": "00000000",
        "loop_lag_us": 1500,
        "clock_steps": [],
        **more,
    }
