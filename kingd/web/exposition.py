"""What the daemon says of itself, as Prometheus wants it: the metrics of kingctl(1), METRICS.

In: its answers to `Status` and `Counters`, asked for here, through the control socket. Out: the text format 0.0.4. Nothing is
kept from one time to the next: what counts is in the daemon."""

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from kingd.control.answer import flag, number, number_or_none, rows, section, text
from kingd.control.client import BadAnswer, JsonObject, KingdError, Line
from kingd.control.validity import Answer

VALID_UNTIL = "kingd_textfile_valid_until_timestamp_seconds"


@dataclass(frozen=True, slots=True)
class Seen:
    """One look at the daemon. `why_not`: it did not answer, and all that is known is that."""

    answer: Answer | None = None
    counters: JsonObject | None = None
    why_not: KingdError | None = None


def look(line: Line, *, timeout_s: float) -> Seen:
    end_s = time.monotonic() + timeout_s
    try:
        counters = line.call("Counters", timeout_s=timeout_s)
        answer = Answer(line, timeout_s=max(end_s - time.monotonic(), 0.001))  # last: it gets old
    except KingdError as error:
        return Seen(why_not=error)
    return Seen(answer, counters)


def exposition(seen: Seen, *, valid_until_s: float | None = None) -> bytes:
    """`valid_until_s`: of the calendar, for a file that outlives who writes it. BadAnswer: of another version."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(_families(seen, valid_until_s)))
    return generate_latest(registry)


class _Collector(Collector):
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> Iterable[Metric]:
        return self._families


def _families(seen: Seen, valid_until_s: float | None) -> Iterator[Metric]:
    is_up = seen.answer is not None
    yield _gauge("kingd_up", "Whether kingd answers at its control socket.", is_up)
    if valid_until_s is not None:
        yield _gauge(VALID_UNTIL, "After this the file is out of date: believe nothing in it.", valid_until_s)
    if seen.answer is not None and seen.counters is not None:
        yield from _now(seen.answer)
        yield from _counted(seen.counters)


def _now(answer: Answer) -> Iterator[Metric]:
    status, cluster = answer.status, text(answer.status, "cluster")
    is_known = answer.leader is not None and not answer.is_over
    leader = GaugeMetricFamily(
        "kingd_leader_info", "Who leads, as this host says; none if that is not known.", labels=["cluster", "leader"]
    )
    if answer.leader is not None and is_known:
        leader.add_metric([cluster, text(answer.leader, "name")], 1)
    yield _gauge("kingd_is_leader", "Whether this host leads.", answer.is_me and is_known, cluster=cluster)
    yield leader
    yield _gauge("kingd_term", "The term of the leadership that this host knows of.", number(status, "term"))
    members = section(status, "members")
    yield _labelled(
        GaugeMetricFamily("kingd_members", "Members of the cluster, this host among them.", labels=["state"]),
        {state: number(members, state) for state in ("alive", "dead")},
    )
    node = section(status, "node")
    yield _gauge("kingd_eligible", "Whether this host may lead now.", flag(node, "eligible"))
    quorum_ok = flag(section(status, "quorum"), "ok")
    yield _gauge(
        "kingd_quorum_ok", "Whether a leader is known, or enough voters are reachable to elect one.", quorum_ok
    )
    yield _gauge("kingd_problems", "How many problems kingctl status names.", len(_list(status, "problems")))
    strangers = dict.fromkeys(("bad-key", "other-cluster", "version"), 0)
    for row in rows(status, "strangers"):
        strangers[text(row, "why")] = strangers.get(text(row, "why"), 0) + 1
    yield _labelled(
        GaugeMetricFamily("kingd_strangers", "Who else spoke on this port in the last minute.", labels=["why"]),
        strangers,
    )
    build = GaugeMetricFamily("kingd_build_info", "The version of kingd.", labels=["version"])
    build.add_metric([text(node, "version")], 1)
    yield build


def _counted(counters: JsonObject) -> Iterator[Metric]:
    yield _counter(counters, "leader_changes", "kingd_leader_changes", "Other leaders that became known.", "reason")
    changed_ms = number_or_none(counters, "last_leader_change_ms")
    if changed_ms is not None:
        name = "kingd_last_leader_change_timestamp_seconds"
        yield _gauge(name, "When another leader became known for the last time.", changed_ms / 1000)
    yield _elections(section(counters, "elections"))
    for key in ("sent", "received"):
        yield _counter(counters, key, f"kingd_datagrams_{key}", f"Datagrams {key}, by what they say.", "type")
    yield _counter(
        counters, "rejected", "kingd_datagrams_rejected", "Datagrams refused, by why: see kingctl(1).", "reason"
    )
    again = "Claims, offers and resignations that were sent again."
    yield CounterMetricFamily("kingd_retransmits", again, value=number(counters, "retransmits"))
    lag = "How late the election was woken at worst, in about the last minute."
    yield _gauge("kingd_loop_lag_seconds", lag, number(counters, "loop_lag_us") / 1e6)
    overlap = "How long another node led beside this one, as far as it can tell; counted when it is over."
    yield CounterMetricFamily("kingd_overlap_seconds", overlap, value=number(counters, "overlap_us") / 1e6)


def _elections(elections: JsonObject) -> Metric:
    bounds, counts = _numbers(elections, "bounds_ms"), _numbers(elections, "counts")
    sums = [sum(counts[: upto + 1]) for upto in range(len(counts))]
    names = [*(str(bound / 1000) for bound in bounds), "+Inf"]
    return HistogramMetricFamily(
        "kingd_election_duration_seconds",
        "How long no leader was known before one was; 0: one followed the other.",
        buckets=list(zip(names, sums, strict=True)),
        sum_value=number(elections, "sum_us") / 1e6,
    )


def _gauge(name: str, help_: str, value: float, *, cluster: str | None = None) -> Metric:
    if cluster is None:
        return GaugeMetricFamily(name, help_, value=float(value))
    found = GaugeMetricFamily(name, help_, labels=["cluster"])
    found.add_metric([cluster], float(value))
    return found


def _counter(counters: JsonObject, key: str, name: str, help_: str, label: str) -> Metric:
    counts = section(counters, key)
    return _labelled(CounterMetricFamily(name, help_, labels=[label]), {each: number(counts, each) for each in counts})


def _labelled(family: GaugeMetricFamily | CounterMetricFamily, values: Mapping[str, float]) -> Metric:
    for label, value in values.items():
        family.add_metric([label], value)
    return family


def _list(answer: JsonObject, key: str) -> list[object]:
    value = answer.get(key)
    if not isinstance(value, list):
        raise BadAnswer(f"the daemon's answer is not understood: {key} is no list")
    return value


def _numbers(answer: JsonObject, key: str) -> list[int]:
    return [each for each in _list(answer, key) if isinstance(each, int)]
