"""The bodies of `trial.py` to bytes and back, as in bodies.py."""

from kingd.core.wire import layout
from kingd.core.wire.grammar import ADDRESS
from kingd.core.wire.reader import DecodeError, Reader, text_of
from kingd.core.wire.trial import Count, Echo, Trial, Way

_TRIAL, _ECHO, _COUNT = layout.BODIES[18].numbers, layout.BODIES[19].numbers, layout.numbers(layout.COUNT)


def pack_trial(m: Trial) -> bytes:
    return _TRIAL.pack(m.run, m.token, m.number, m.lane, m.by, m.back, m.about)


def pull_trial(r: Reader) -> Trial:
    run, token, number, lane, by, back, about = r.take(_TRIAL)
    return Trial(run=run, token=token, number=number, lane=lane, by=_way(by), back=_way(back), about=about)


def pack_echo(m: Echo) -> bytes:
    who = (m.run, m.token, m.number, m.lane, m.by, m.lag_ms)
    view = (m.about, m.state, m.ways, m.heard_ms, m.multicast_ms, m.contact_ms)
    counts = b"".join(_COUNT.pack(count.way, count.got, count.sent) for count in m.counts)
    return _ECHO.pack(*who, *view, m.port, len(m.counts)) + text_of(m.host) + counts


def pull_echo(r: Reader) -> Echo:
    *head, port, counted = r.take(_ECHO)
    run, token, number, lane, by, lag_ms, about, state, ways, heard_ms, multicast_ms, contact_ms = head
    if counted > len(Way) - 1:
        raise DecodeError("count")
    return Echo(
        run=run,
        token=token,
        number=number,
        lane=lane,
        by=_way(by),
        lag_ms=lag_ms,
        about=about,
        state=state,
        ways=ways,
        heard_ms=heard_ms,
        multicast_ms=multicast_ms,
        contact_ms=contact_ms,
        port=port,
        host=r.text(lambda text: not text or ADDRESS.fullmatch(text)),
        counts=tuple(_pull_count(r) for _ in range(counted)),
    )


def _pull_count(r: Reader) -> Count:
    way, got, sent = r.take(_COUNT)
    return Count(way=_way(way), got=got, sent=sent)


def _way(value: int) -> Way:
    if value >= len(Way):
        raise DecodeError("way")
    return Way(value)
