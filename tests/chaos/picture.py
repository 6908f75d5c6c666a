"""A history as one SVG: a strip for each minute, in it a lane for each host, and above those the faults of the network.

A leadership is a dark bar with its term; where two are proven to overlap, a red frame. The colours of a lane are what
its daemon said of itself; where nothing is drawn it did not answer. Green ground: nothing is broken.
"""

from collections.abc import Iterable, Iterator
from xml.sax.saxutils import escape

from tests.chaos.checker import Verdict
from tests.chaos.history import Fault, History, Life

_STRIP_S = 60
_LEFT, _RIGHT, _WIDTH = 40, 26, 1400
_LANE, _FAULT, _AXIS, _GAP = 27, 13, 16, 14
_SCALE = (_WIDTH - _LEFT - _RIGHT) / _STRIP_S
_COLOURS = {"leader": "#1f4e9c", "follower": "#b9d2f0", "candidate": "#f2c14e", "joining": "#c9c9c9"}
_STYLE = """
text { font: 10px "DejaVu Sans", Verdana, sans-serif; fill: #222; }
.name { font-size: 12px; font-weight: bold; }
.term { fill: #fff; font-weight: bold; }
.quiet { fill: #e6f4e1; }
.fault { fill: #f6d7d0; stroke: #c0756a; stroke-width: .5; }
.host { font-size: 8px; fill: #8c4a3f; }
.paused { fill: url(#stripes); }
.off { stroke: #555; stroke-width: 1; stroke-dasharray: 2 3; }
.overlap { fill: #e00; fill-opacity: .12; stroke: #e00; stroke-width: 2; }
.grid { stroke: #ccc; stroke-width: .5; }
"""
_STRIPES = (
    '<pattern id="stripes" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    '<rect width="6" height="6" fill="#eee"/><rect width="2" height="6" fill="#777"/></pattern>'
)


def draw(history: History, verdict: Verdict) -> str:
    start = history.setting.at
    count = int((history.end - start) / 1e9 // _STRIP_S) + 1
    parts: list[str] = []
    top = 64
    for number in range(count):
        strip = _Strip(history, verdict, start + number * _STRIP_S * 1_000_000_000, top)
        parts += strip.draw()
        top += strip.height + _GAP
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{top}" viewBox="0 0 {_WIDTH} {top}">',
        f"<style>{_STYLE}</style><defs>{_STRIPES}</defs>",
        f'<rect width="{_WIDTH}" height="{top}" fill="#fff"/>',
        *_legend(history, verdict),
    ]
    return "\n".join([*head, *parts, "</svg>", ""])


def _legend(history: History, verdict: Verdict) -> Iterator[str]:
    setting = history.setting
    voters = f", voters {' '.join(setting.voters)}" if setting.voters else ""
    title = f"kingd under faults: {setting.mode} mode{voters}, seed {setting.seed}, {len(verdict.overlaps)} overlaps"
    yield f'<text x="{_LEFT}" y="20" class="name">{escape(title)}</text>'
    x = _LEFT
    for word, colour in {**_COLOURS, "stopped for a while": "url(#stripes)", "nothing broken": "#e6f4e1"}.items():
        yield f'<rect x="{x}" y="30" width="16" height="11" fill="{colour}"/><text x="{x + 20}" y="39">{word}</text>'
        x += 36 + 7 * len(word)
    yield f'<line x1="{x}" x2="{x + 16}" y1="36" y2="36" class="off"/><text x="{x + 20}" y="39">does not run</text>'
    yield f'<rect x="{x + 110}" y="30" width="16" height="11" class="overlap"/><text x="{x + 130}" y="39">two lead</text>'


class _Strip:
    """One minute."""

    def __init__(self, history: History, verdict: Verdict, begin: int, top: int) -> None:
        self.history, self.verdict = history, verdict
        self.begin, self.end = begin, begin + _STRIP_S * 1_000_000_000
        self.top = top
        self.faults = _stacked(f for f in history.faults if not f.hosts and f.at < self.end and f.end > begin)
        self.lanes_top = top + _AXIS + _FAULT * (max((lane for lane, _ in self.faults), default=0) + 1)
        hosts = history.setting.hosts
        self.lane = {host: self.lanes_top + number * _LANE for number, host in enumerate(hosts)}
        self.height = self.lanes_top - top + _LANE * len(hosts)

    def draw(self) -> Iterator[str]:
        for quiet in self.history.quiets:
            yield self._box(quiet.at, quiet.end, self.top + _AXIS, self.height - _AXIS, 'class="quiet"')
        yield from self._axis()
        for lane, fault in self.faults:
            y = self.top + _AXIS + lane * _FAULT
            yield self._box(fault.at, fault.end, y, _FAULT - 1, 'class="fault"', fault.what)
        for host, y in self.lane.items():
            yield f'<text x="{_LEFT - 8}" y="{y + 14}" class="name" text-anchor="end">{escape(host)}</text>'
        yield from self._roles()
        yield from self._leaderships()
        yield from self._processes()
        yield from self._overlaps()

    def _axis(self) -> Iterator[str]:
        first = int((self.begin - self.history.setting.at) / 1e9)
        for second in range(0, _STRIP_S + 1, 5):
            x = _LEFT + second * _SCALE
            yield f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{self.top + 12}" y2="{self.top + self.height}" class="grid"/>'
            yield f'<text x="{x:.1f}" y="{self.top + 9}" text-anchor="middle">{first + second} s</text>'

    def _roles(self) -> Iterator[str]:
        for said in self.history.answers:
            if not said.leads:
                fill = f'fill="{_COLOURS[said.role]}"'
                yield self._box(said.first[1], said.last[1], self.lane[said.host] + 6, 8, fill)

    def _leaderships(self) -> Iterator[str]:
        for one in self.verdict.leaderships:
            begin, end = min(one.surely_from, one.surely_until), max(one.surely_from, one.surely_until)
            look = f'fill="{_COLOURS["leader"]}"'
            yield self._box(begin, end, self.lane[one.host] + 2, 16, look, str(one.term), "term")

    def _processes(self) -> Iterator[str]:
        for host, y in self.lane.items():
            for begin, end in _between(self.history.lives, host, "paused", "resumed", self.history.end):
                yield self._box(begin, end, y + 2, 16, 'class="paused" stroke="#777"')
            for begin, end in _between(self.history.lives, host, "ended", "started", self.history.end):
                if begin < self.end and end > self.begin:
                    x1, x2 = self._x(begin), self._x(end)
                    yield f'<line x1="{x1:.1f}" x2="{x2:.1f}" y1="{y + 10}" y2="{y + 10}" class="off"/>'
        for fault in self.history.faults:
            for host in fault.hosts:
                begin, end, y = fault.at, fault.end, self.lane[host] + 18
                yield self._box(begin, end, y, 3, 'class="fault"')
                if self.begin <= begin < self.end:
                    yield f'<text x="{self._x(begin):.1f}" y="{y + 9}" class="host">{escape(fault.what)}</text>'

    def _overlaps(self) -> Iterator[str]:
        for host, y in self.lane.items():
            found = [o for o in self.verdict.overlaps if host in (o.one.host, o.other.host)]
            for begin, end in _merged(sorted((o.begin, o.end) for o in found)):
                yield self._box(begin, end, y + 1, 18, 'class="overlap"')

    def _x(self, at: int) -> float:
        """Of an instant, or of the end of the strip that is nearer to it."""
        return _LEFT + (min(max(at, self.begin), self.end) - self.begin) / 1e9 * _SCALE

    def _box(self, begin: int, end: int, y: float, height: float, look: str, text: str = "", kind: str = "") -> str:
        """ "" where it is not in this strip. The text is left out where it has no room."""
        if begin > self.end or end < self.begin:
            return ""
        x, width = self._x(begin), max(1.0, self._x(end) - self._x(begin))
        box = f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{height}" {look}><title>{escape(text)}</title></rect>'
        if not text or width < 5 * len(text):
            text = text[: int(width / 6)]
        baseline = y + height / 2 + 3.5
        return f'{box}<text x="{x + 2:.1f}" y="{baseline:.1f}" class="{kind}">{escape(text)}</text>' if text else box


def _stacked(faults: Iterable[Fault]) -> list[tuple[int, Fault]]:
    """Each in the first lane that is free."""
    ends: list[int] = []
    found: list[tuple[int, Fault]] = []
    for fault in faults:
        lane = next((number for number, end in enumerate(ends) if end <= fault.at), len(ends))
        ends[lane : lane + 1] = [fault.end]
        found.append((lane, fault))
    return found


def _merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Those that touch as one; they come in the order of their beginnings."""
    found: list[tuple[int, int]] = []
    for begin, end in spans:
        if found and begin <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((begin, end))
    return found


def _between(lives: Iterable[Life], host: str, begin: str, end: str, limit: int) -> Iterator[tuple[int, int]]:
    since: int | None = None
    for life in lives:
        if life.host == host and life.what == begin:
            since = life.at
        elif life.host == host and since is not None and life.what in (end, "ended"):
            yield since, life.at
            since = None
    if since is not None:
        yield since, limit
