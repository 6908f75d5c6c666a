"""What kingd promises in numbers."""

# (system, row) -> what the median must not exceed; of `idle:` rows and of `calm`, the largest value.
_BARS = {
    ("kingd", "SIGKILL"): 10,
    ("kingd", "planned stop"): 5,
    ("kingd", "cable pulled"): 500,
    ("kingd-fast", "cable pulled"): 30,
    ("kingd-quorum", "cable pulled"): 1300,
    ("kingd-quorum-fast", "cable pulled"): 120,
    ("kingd-quorum", "planned stop"): 25,
    ("kingd", "return, from its first datagram"): 150,
    ("kingd", "return, time without a leader"): 8,
    ("kingd", "idle: processor, follower"): 0.5,
    ("kingd", "idle: processor, leader"): 1,
    ("kingd", "idle: RSS"): 13,
    ("kingd", "idle: PSS"): 11,
    ("start", "exec to the first datagram, in python3 -I -c pass"): 4,
    ("kingd", "changes of leader under load"): 0,
    ("kingd-fast", "changes of leader under load"): 0,
}


def bar_of(system: str, row: str) -> float | None:
    return _BARS.get((system, row))
