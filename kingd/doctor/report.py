"""An examination as the control socket tells it (`Examined` of org.kingd.varlink): numbers only, and no judgement."""

from collections.abc import Iterator

from kingd.core.acquaintance import Sighting
from kingd.core.wire.message import NodeId
from kingd.core.wire.trial import STATES, UNHEARD
from kingd.doctor.examination import Examination
from kingd.doctor.patient import Patient, View

JsonObject = dict[str, object]
_STALE_MS = 15_000  # a view of somebody who was heard since then is nothing to tell


def peers(examination: Examination, *, now_us: int) -> list[JsonObject]:
    """Whom it asked, the leader first; each with what is known of it by now."""
    return [_peer(examination, patient, now_us) for patient in examination.patients.values()]


def _peer(examination: Examination, patient: Patient, now_us: int) -> JsonObject:
    sighting = examination.known.sighting(patient.sighting.node, now_us) or patient.sighting
    return {
        **_who(sighting),
        "address": str(sighting.endpoint),
        "version": sighting.version,
        "state": str(sighting.state),
        "leads": sighting.leads,
        "answered": patient.via is not None,
        "restarted": patient.has_moved_on,
        "refused": patient.refused,
        "lag_ms": patient.lag_ms,
        "heard_ms": sighting.heard_us // 1000,
        "multicast_ms": None if sighting.multicast_us is None else sighting.multicast_us // 1000,
        "contact_ms": None if sighting.contact_us is None else sighting.contact_us // 1000,
        "voters": f"{sighting.voters.digest:08x}",
        "wanted": f"{sighting.wanted:08x}",
        "signed": sighting.key_id != 0,
        "paths": list(_paths(examination, patient, now_us)),
        "views": list(_views(examination, patient, now_us)),
    }


def _who(sighting: Sighting) -> JsonObject:
    return {"id": f"{sighting.node:016x}", "name": sighting.name}


def _paths(examination: Examination, patient: Patient, now_us: int) -> Iterator[JsonObject]:
    for direction, cells in (("there", patient.there), ("back", patient.back)):
        for place, cell in sorted(cells.items()):
            yield {
                "interface": examination.lanes[place[0]].interface,
                "path": place[1].word,
                "direction": direction,
                "sent": max(cell.sent, cell.got),
                "got": cell.got,
                "missed": cell.missed,
                "last_ms": None if cell.last_us < 0 else (now_us - cell.last_us) // 1000,
                "worked_ms": None if cell.last_us < 0 else (cell.last_us - examination.began_us) // 1000,
            }


def _views(examination: Examination, patient: Patient, now_us: int) -> Iterator[JsonObject]:
    """What it says of this node, and of those whom it hears no more or not by multicast. Ages are as of now: what was 0.3 s old
    when it was told at the beginning is older than the examination."""
    for node, view in patient.views.items():
        since_ms = (now_us - view.at_us) // 1000
        silent = node in examination.patients and examination.patients[NodeId(node)].via is None
        if node == examination.known.id or silent or _is_worth_telling(view):
            yield {
                "of": f"{node:016x}",
                "state": STATES[view.state] if view.state < len(STATES) else STATES[0],
                "heard_ms": _ms(view.heard_ms, since_ms),
                "multicast_ms": _ms(view.multicast_ms, since_ms),
                "contact_ms": _ms(view.contact_ms, since_ms),
            }


def _is_worth_telling(view: View) -> bool:
    return view.state != STATES.index("alive") or view.multicast_ms > _STALE_MS


def _ms(value: int, since_ms: int) -> int | None:
    return None if value == UNHEARD else value + since_ms
