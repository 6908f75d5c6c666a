"""Clusters for the pictures of `kingctl top`, and the pictures: python -m tests.unit.top_situations writes them anew."""

from collections.abc import Callable
from pathlib import Path

from kingd.control.client import JsonObject
from kingd.top.cells import ASCII, FULL, Glyphs
from kingd.top.controls import Controls
from kingd.top.model import Instant, Model
from kingd.top.view import picture
from tests.cli.fake_kingd import BOX1, BOX2, event, member, status, view

FOLDER = Path(__file__).parent / "top_pictures"
BOX3: JsonObject = {"id": "00000000000000a3", "name": "box3", "priority": 100, "address": "10.0.0.3:5466", "tags": {}}
NOON_S = 1_763_899_200.0  # 2025-11-23T12:00:00Z
HOSTILE = "\x1b]0;owned\x07\x1b[2J\x9b31mevil\u202e\r\n"


def at(s: float) -> Instant:
    """So many seconds after noon; 1000 of CLOCK_MONOTONIC."""
    return Instant(1000.0 + s, NOON_S + s)


def change(s: float, kind: str, *, leader: JsonObject | None, seq: int, **more: object) -> JsonObject:
    """An event at that second, as box2 tells it."""
    when = f"2025-11-23T12:{int(s) // 60:02}:{s % 60:06.3f}Z"
    return event(kind, role="follower", leader=leader, seq=seq) | {
        "time": when,
        "monotonic_ns": int(at(s).s * 1e9),
    } | more  # fmt: skip


def told(leader: JsonObject | None, **more: object) -> JsonObject:
    """A status without strangers."""
    return status(role="follower", leader=leader, since="2025-11-23T12:00:00.000Z", strangers=[], valid_ms=463) | more


def failover() -> Model:
    """box1 has led for half a minute, and was killed; box3 took over, as box2 may not lead."""
    model = Model()
    model.happened([change(0, "leader-changed", leader=BOX1, seq=1, reason="joined", term=11)])
    node = {**told(None)["node"], "eligible": False, "ineligible_reason": "step-down", "ineligible_ms": 43_000}  # type: ignore[dict-item]
    for s in range(60):
        is_dead = s >= 30
        members = [
            member(
                BOX1,
                role="leader",
                last_heard_ms=1000 * (s - 30) if is_dead else 37,
                state="dead" if is_dead else "alive",
            ),
            member(BOX2, role="follower", last_heard_ms=0) | {"eligible": False},
            member(BOX3, role="leader" if is_dead else "follower", last_heard_ms=40 if is_dead else 100 * (s % 11)),
        ]
        said = told(BOX3 if is_dead else BOX1, term=12 if is_dead else 11, node=node, members={"alive": 2, "dead": 1})
        model.answered(said, {"members": members}, at(s))
    model.happened(
        [
            change(30, "member-dead", leader=BOX1, seq=2, member=BOX1, term=11),
            change(30.001, "leader-lost", leader=None, previous_leader=BOX1, seq=3, term=11),
            change(30.012, "leader-changed", leader=BOX3, previous_leader=BOX1, seq=4, term=12),
        ]
    )
    return model


def many() -> Model:
    """450 members; the 300th is dead, the 440th may not lead, and the 400th follows somebody else."""
    model = Model()
    boxes = [
        {"id": f"{i:016x}", "name": f"host-{i:03}", "priority": 1000 - i, "address": f"10.1.{i // 250}.{i % 250}:5466"}
        for i in range(450)
    ]
    members = [
        member(
            box, role="leader" if i == 0 else "follower", last_heard_ms=30 * i, state="dead" if i == 300 else "alive"
        )
        | {"eligible": i != 440}
        for i, box in enumerate(boxes)
    ]
    node = {**told(None)["node"], "id": boxes[7]["id"], "name": "host-007"}  # type: ignore[dict-item]
    leader = {**boxes[0], "tags": {}}
    model.happened([change(s, "member-joined", leader=leader, seq=s, member=boxes[s]) for s in range(1, 59)])
    model.answered(told(leader, node=node, members={"alive": 449, "dead": 1}), {"members": members}, at(59))
    views = [view(box, leader="host-001" if i == 400 else "host-000", ok=i != 300) for i, box in enumerate(boxes)]
    model.surveyed({"version": 1, "agree": False, "nodes": views}, at(59))
    return model


def hostile() -> Model:
    """Names that would change the terminal, and names that are long, or wide."""
    model = Model()
    names = [HOSTILE, "長い名前のホスト" * 8, "x" * 63, "🦊" * 30, "e\u0301" * 31]
    boxes = [
        {"id": f"{i:016x}", "name": name, "priority": 9 - i, "address": f"10.0.0.{i}:5466", "tags": {}}
        for i, name in enumerate(names)
    ]
    members = [member(box, role="follower", last_heard_ms=100) | {"version": HOSTILE} for box in boxes]
    node = {**told(None)["node"], "id": boxes[1]["id"], "name": names[1]}  # type: ignore[dict-item]
    model.happened(
        [change(s, "leader-changed", leader=box, seq=s, reason=HOSTILE, term=s) for s, box in enumerate(boxes)]
        + [change(9, "member-dead", leader=boxes[0], seq=9, member=boxes[0])]
    )
    strangers = [{"address": HOSTILE, "why": HOSTILE, "last_seen_ms": 1}]
    said = told(boxes[0], node=node, cluster=HOSTILE, problems=[HOSTILE * 9, names[1] * 3], strangers=strangers)
    model.answered(said, {"members": members}, at(20))
    views = [view(box, leader=HOSTILE) for box in boxes]
    model.surveyed({"version": 1, "agree": False, "nodes": views}, at(20))
    return model


def quorum() -> Model:
    """No quorum, and more problems than have room."""
    model = Model()
    model.answered(
        told(
            None,
            mode="quorum",
            reason="quorum-lost",
            quorum={"voters": ["box1", "box2", "box3"], "reachable": 1, "missing": ["box1", "box3"], "ok": False},
            problems=[
                f"eth{i} has no carrier: is its cable in? Nothing is sent or heard there until it has" for i in range(9)
            ],
        ),
        {"members": [member(BOX2, role="candidate", last_heard_ms=0)]},
        at(1),
    )
    return model


def silent() -> Model:
    model = failover()
    model.failed("kingd is not running: nobody answers at /run/kingd/control.sock; start it (systemctl start kingd)")
    return model


def asking() -> Controls:
    controls = Controls()
    node = {**told(None)["node"], "role": "leader"}  # type: ignore[dict-item]
    controls.press("d", told(BOX2, node=node))
    return controls


def filtered() -> Controls:
    controls = Controls(filter="host-4 alive")
    controls.rows, controls.page = 50, 10
    controls.press("pagedown", None)
    return controls


Situation = tuple[Callable[[], Model], Instant, Callable[[], Controls], int, int, Glyphs]
SITUATIONS: dict[str, Situation] = {
    "failover-80x24": (failover, at(59.5), Controls, 80, 24, FULL),
    "failover-200x50": (failover, at(59.5), Controls, 200, 50, FULL),
    "failover-80x24-ascii": (failover, at(59.5), asking, 80, 24, ASCII),
    "many-80x24": (many, at(61), Controls, 80, 24, FULL),
    "many-200x50-filtered": (many, at(61), filtered, 200, 50, FULL),
    "hostile-80x24": (hostile, at(21), Controls, 80, 24, FULL),
    "quorum-80x24": (quorum, at(1), Controls, 80, 24, FULL),
    "silent-80x24": (silent, at(90), Controls, 80, 24, FULL),
    "low-40x10": (failover, at(59.5), Controls, 40, 10, FULL),
}


def shown(name: str) -> str:
    make, now, controls, width, height, glyphs = SITUATIONS[name]
    lines = picture(make(), now, controls(), width=width, height=height, glyphs=glyphs).lines
    return "".join(f"{line.plain.rstrip()}\n" for line in lines)


if __name__ == "__main__":
    for name in SITUATIONS:
        (FOLDER / f"{name}.txt").write_text(shown(name))
