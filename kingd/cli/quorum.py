"""The state of the quorum in words: numbers that fit them, and who is missing by name."""

from __future__ import annotations

from kingd.control.answer import flag, number, texts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kingd.control.client import JsonObject


def state_words(quorum: JsonObject, *, is_leader_known: bool) -> str:
    """What this node knows of it."""
    voters, reachable = texts(quorum, "voters"), number(quorum, "reachable")
    need = len(voters) // 2 + 1
    missing = texts(quorum, "missing") if "missing" in quorum else []  # a daemon of another version does not name them
    here = f"{reachable} of {len(voters)} voters reachable"
    without = f"; missing: {', '.join(missing)}" if missing else ""
    if is_leader_known:  # a majority has promised it, whoever is heard from here
        return (
            f"quorum, {here}{without}"
            if reachable >= need
            else f"quorum by the leader's word; from here {here}{without}"
        )
    if reachable < need:
        return f"NO quorum, {here} and {need} needed{without}"
    if flag(quorum, "ok"):
        return f"no leader yet, {here} and {need} needed{without}"
    return f"quorum lost, but {here} again and {need} needed: an election is due{without}"
