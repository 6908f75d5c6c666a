"""`leader` and `is-leader`: the one implementation behind the fast path (main.py) and behind click (reading.py).

No leader is known: is that an answer ("there is none", exit 1) or none ("I cannot know", exit 4)? It is an answer
while this node takes part in an election; it is none while the node joins, is cut off, has stalled, or has no
quorum."""

from __future__ import annotations

import json

from kingd.cli.exits import NO, OK, UNKNOWN, attempt, say
from kingd.cli.quorum import state_words
from kingd.cli.text import age, clean
from kingd.control.answer import flag, number, number_or_none, section, section_or_none, text, texts
from kingd.control.client import JsonObject
from kingd.control.validity import Answer

_CANNOT_KNOW = {
    "isolated": "this node is isolated: it reaches no other member",
    "stalled": "this node was stopped or stalled for a while and has not yet heard again who leads",
    "quorum-lost": "this node has lost the quorum",
}


def leader(path: str, timeout_s: float, *, form: str = "name", tag: str = "") -> int:
    """`form`: name, json, address, term or tag."""
    return attempt(lambda: _leader(path, timeout_s, form, tag))


def is_leader(path: str, timeout_s: float, *, verbose: bool = False, as_json: bool = False) -> int:
    # Whatever goes wrong, 1 would say that another node leads: nobody has said so.
    return attempt(lambda: _is_leader(path, timeout_s, verbose, as_json), otherwise=UNKNOWN)


def _leader(path: str, timeout_s: float, form: str, tag: str) -> int:
    answer = Answer(path, timeout_s=timeout_s)
    if answer.is_over:
        return if_still_good(answer, OK)
    status, known = answer.status, answer.leader
    if form == "json":
        print(json.dumps(_known(status)), flush=True)
    if known is None:
        return explain_unknown(status)
    code = OK
    match form:
        case "name":
            print(clean(text(known, "name")), flush=True)
        case "term":
            print(number(status, "term"), flush=True)
        case "json":
            pass
        case _:
            code = _print_detail(known, form, tag)
    return if_still_good(answer, code)


def _known(status: JsonObject) -> JsonObject:
    keys = ("version", "cluster", "leader", "term", "leader_age_ms", "valid_ms", "since", "reason")
    return {key: status.get(key) for key in keys}


def if_still_good(answer: Answer, code: int) -> int:
    """`code`, or UNKNOWN where the answer has outlived its evidence. The last thing that a verb does: all that is written has
    been written, and took its time."""
    if not answer.is_over:
        return code
    say(
        f"not known: the answer was good for {answer.valid_ms} ms from when it was asked for, and that is over (kingctl did "
        "not run, or could not write, for so long): ask again"
    )
    return UNKNOWN


def _print_detail(known: JsonObject, form: str, tag: str) -> int:
    name = clean(text(known, "name"))
    value = known.get("address") if form == "address" else (section_or_none(known, "tags") or {}).get(tag)
    if value is None:
        say(
            f"{name} leads, and its address is not known"
            if form == "address"
            else f"{name} leads, and announces no tag {tag}"
        )
        return NO
    print(clean(value), flush=True)
    return OK


def _is_leader(path: str, timeout_s: float, verbose: bool, as_json: bool) -> int:
    answer = Answer(path, timeout_s=timeout_s)
    if answer.is_over:
        return if_still_good(answer, OK)
    node, known = section(answer.status, "node"), answer.leader
    if known is None:
        code, words = unknown(answer.status)
        code = UNKNOWN  # 1 means that another node leads
    elif answer.is_me:
        code, words = OK, f"{text(node, 'name')} leads: it is this node"
    else:
        code, words = NO, f"{text(known, 'name')} leads, not this node ({text(node, 'name')})"
    if as_json:
        said = _known(answer.status) | {"is_leader": None if known is None else code == OK}
        print(json.dumps(said), flush=True)
    if verbose:
        say(clean(words))
    return if_still_good(answer, code)


def ineligible_words(node: JsonObject) -> str:
    """Why this node may not lead, and for how long still if that is known."""
    left_ms = number_or_none(node, "ineligible_ms")
    detail = node.get("ineligible_detail")
    why = f"{node.get('ineligible_reason')}" + (f" ({detail})" if detail else "")
    return why + ("" if left_ms is None else f", for another {age(left_ms)}")


def explain_unknown(status: JsonObject) -> int:
    code, words = unknown(status)
    say(clean(words))
    return code


def unknown(status: JsonObject) -> tuple[int, str]:
    """Why no leader is known, and the exit code of `leader`."""
    node, quorum, reason = section(status, "node"), section(status, "quorum"), str(status.get("reason"))
    voters = texts(quorum, "voters")
    if text(node, "role") == "joining":
        problems = ": " + "; ".join(texts(status, "problems")) if status.get("problems") else ""
        return UNKNOWN, f"not known yet: this node is joining{problems} (kingctl wait waits for a leader)"
    if voters and not flag(quorum, "ok"):
        return UNKNOWN, f"not known: {state_words(quorum, is_leader_known=False)}"
    if reason in _CANNOT_KNOW:
        return UNKNOWN, f"not known: {_CANNOT_KNOW[reason]} (kingctl status says more)"
    if not flag(node, "eligible"):
        why = ineligible_words(node)
        return NO, f"there is no leader now, and this node may not lead ({why}; kingctl status says more)"
    return NO, "there is no leader now: an election is under way (kingctl wait waits for its end)"
