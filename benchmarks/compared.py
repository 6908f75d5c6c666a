"""Which systems docs/performance.md compares, in its tables and its plots, and by which rows."""

from benchmarks.systems.catalogue import SYSTEMS

FAILOVER = (
    "cold start", "SIGKILL", "cable pulled", "planned stop", "return", "return, from its first frame", "cable put back",
)  # fmt: skip
REST = (
    "idle: frames sent, leader", "idle: frames sent, follower", "idle: frames sent, all three", "idle: bytes sent, leader",
    "idle: bytes sent, follower", "idle: processor, leader", "idle: processor, follower", "idle: RSS", "idle: PSS",
    "idle: guardian, PSS",
)  # fmt: skip
QUORUM = ("kingd-quorum", "kingd-quorum-fast")
COMPARED = [name for name in SYSTEMS if name not in (*QUORUM, "kingd-fast-normal")]
