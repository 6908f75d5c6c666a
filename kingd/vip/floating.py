"""One floating address: what is to be done about it, and when. Pure: the clock and what the kernel knows are arguments.

`turn` is called whenever something has changed, and at `next_us` at the latest; it returns what to do now, in order. What the
kernel says about it comes back as `present` of the next turn, or by `failed`. docs/vip.md has the states."""

from enum import Enum

from kingd.acting.hold import NEVER_US
from kingd.records import dataclass

_MS = 1_000
_SECOND = 1_000_000

REFRESH_US = 1 * _SECOND  # of LIFETIME_S
LIFETIME_S = 3
ANNOUNCED_US = (0, 50 * _MS, 250 * _MS, 1200 * _MS, 2400 * _MS, 5 * _SECOND)  # after it began
_ANNOUNCED_AGAIN_US = 60 * _SECOND
_BEGIN_AGAIN_US = 1 * _SECOND  # however often a carrier flaps
_PROBES = 3
_PROBED_AGAIN_US = 100 * _MS  # and so long after the last one nobody has answered
_DEFENDED_AGAIN_US = 10 * _SECOND  # RFC 5227 2.4 (b)
_FAILED_AGAIN_US = 1 * _SECOND
_CONFLICT_AGAIN_US_MAX = 60 * _SECOND
KNOWN_US = 60 * _SECOND  # whose an address was: longer than any detection and election take
_ASKS = 3  # beside a leader: does it announce the address?
_ASKED_AGAIN_US = 3 * _SECOND
_TOO = "the leader has it, and this host, too, and not from kingd-vip: remove it here"
_UNHEARD = "another host leads, and its announcement does not come here, though it was asked for"
_RIVAL_ASKED_US = 5 * _SECOND  # after it has answered: what it had from kingd-vip has ended by then
_RIVAL_ASKED_AGAIN_US = 10 * _SECOND
_ANSWER_US = 1 * _SECOND  # after a question: so long a kernel may answer it, whose host has nothing to do with us


class State(Enum):
    IDLE = "idle"
    WAITING = "waiting"
    PROBING = "probing"
    HELD = "held"
    CONFLICT = "conflict"
    FOREIGN = "foreign"


class Present(Enum):
    """What the interface has of it."""

    ABSENT = "absent"
    OURS = "ours"
    FOREIGN = "foreign"


class Act(Enum):
    ADD = "add"
    REFRESH = "refresh"
    REMOVE = "remove"
    PROBE = "probe"
    ANNOUNCE = "announce"


@dataclass(frozen=True, slots=True)
class Link:
    """The interface."""

    index: int
    mac: bytes  # b"": not Ethernet, there is nobody to announce to
    is_up: bool
    has_carrier: bool
    is_bridge: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """`leadership`: which one, None: the address is not to be here. `other_leads`: now; `succeeds`: another host led shortly
    before."""

    leadership: object | None
    other_leads: bool
    succeeds: bool
    link: Link | None
    present: Present


class Floating:
    """`lost`: how often it was gone while it was to be here; `conflicts`: how often somebody else has claimed it."""

    def __init__(self) -> None:
        self.state = State.IDLE
        self.why = ""  # it is not held; "" = there is nothing to say
        self.lost = self.conflicts = 0
        self.next_us = NEVER_US
        self._again_us = 0  # no new try before that
        self._conflict_us = 0  # how long was waited after the last conflict; 0: nobody has answered since
        self._whose = ""  # it was then
        self._refresh_us = 0
        self._held_us = -KNOWN_US  # the last time
        self._is_announced = False  # by another host, since anybody has asked whose it is
        self._question_us = -_ANSWER_US  # the last one
        self._asks = 0  # since then
        self._ask_us = 0  # when the next one is due
        self._is_beside = False  # of another host that leads
        self._is_missed = False  # after so many
        self._probe_us = 0  # the last one
        self._probes = 0
        self._began_us = -_BEGIN_AGAIN_US  # announcing
        self._announced = 0  # how often since then
        self._announced_as: object = None  # what the LAN was told; None: to begin anew
        self._is_there = False
        self._defended_us = -_DEFENDED_AGAIN_US
        self._is_to_defend = False
        self._rival = ""  # a member that has it, too, in words; "" = none
        self._rival_us = 0  # when it is asked whether it still has
        self._is_rival_asked = False  # and has not answered since

    def turn(self, facts: Facts, *, now_us: int) -> list[Act]:
        self.next_us = NEVER_US
        if facts.leadership is None:
            acts = [Act.REMOVE] if facts.present is Present.OURS else self._ask(facts, now_us)
            self._become(State.IDLE, self._why_idle(facts))
            self._rival = ""
            if not self._conflict_us:  # who leads anew has no better right to a stranger's than before
                self._again_us = 0
            return acts
        if facts.present is Present.FOREIGN:
            self._become(State.FOREIGN, "this host has it already, and not from kingd-vip: it is left alone")
            return []
        why_not = self._why_not(facts, now_us)
        if why_not:
            self._become(State.WAITING, why_not)
            return []
        if now_us < self._again_us:
            if self.state is State.IDLE:
                self._become(State.CONFLICT, self._whose)
            self.next_us = self._again_us
            return []
        if self.state is State.HELD or self._is_to_hold(facts, now_us):
            return self._hold(facts, now_us)
        return self._probe(now_us)

    def _why_idle(self, facts: Facts) -> str:
        if not facts.other_leads:
            return ""
        if facts.present is Present.FOREIGN and self._is_announced:
            return _TOO
        return _UNHEARD if self._is_missed else ""

    def _why_not(self, facts: Facts, now_us: int) -> str:
        link = facts.link
        if link is None:
            return "there is no such interface (yet)"
        if not link.is_up:
            return "the interface is down"
        is_cold = self.state is not State.HELD and not self._is_known(facts, now_us)
        return "the interface has no carrier to ask through whose it is" if is_cold and not link.has_carrier else ""

    def _is_known(self, facts: Facts, now_us: int) -> bool:
        """Whose it is. That this host itself led says nothing: it may have been asking."""
        is_ours = (facts.succeeds and self._is_announced) or now_us < self._held_us + KNOWN_US
        return facts.present is Present.OURS or (is_ours and not self._conflict_us)

    def _ask(self, facts: Facts, now_us: int) -> list[Act]:
        """Beside a leader, and before it is missed: who holds it announces it then. Who has let go waits: the next one says so
        by itself, and is not to be made unsure as it takes over."""
        link = facts.link
        if facts.other_leads and not self._is_beside and now_us < self._held_us + KNOWN_US:
            self._ask_us = now_us + _ASKED_AGAIN_US
        self._is_beside = facts.other_leads
        if link is None or not (link.mac and link.is_up and link.has_carrier):
            self._is_announced, self._is_missed, self._asks, self._ask_us = False, False, 0, now_us  # nothing is heard
        elif self._is_announced:
            self._is_missed, self._asks = False, 0
        elif facts.other_leads and facts.present is Present.ABSENT and not self._is_missed:
            is_due = now_us >= self._ask_us
            self._is_missed = is_due and self._asks == _ASKS
            if self._is_missed:
                return []
            if is_due:
                self._asks += 1
                self._question_us, self._ask_us = now_us, now_us + _ASKED_AGAIN_US
            self.next_us = self._ask_us
            return [Act.PROBE] if is_due else []
        return []

    def _is_to_hold(self, facts: Facts, now_us: int) -> bool:
        assert facts.link is not None
        is_known = self._is_known(facts, now_us) or not facts.link.mac
        has_asked = self.state is State.PROBING and self._probes == _PROBES
        is_probed = has_asked and now_us >= self._probe_us + _PROBED_AGAIN_US
        if is_known or is_probed:
            self._held(now_us)
        return is_known or is_probed

    def _probe(self, now_us: int) -> list[Act]:
        if self.state is not State.PROBING:
            self._become(State.PROBING)
            self._probes, self._rival = 0, ""
        is_due = self._probes == 0 or now_us >= self._probe_us + _PROBED_AGAIN_US
        if is_due:
            self._probe_us = now_us  # not when it was due: what was missed is not asked
            self._probes += 1
        self.next_us = self._probe_us + _PROBED_AGAIN_US
        return [Act.PROBE] if is_due else []

    def _held(self, now_us: int) -> None:
        self._become(State.HELD, self._rival)
        self._refresh_us = now_us  # what is taken over may be about to end
        self._is_beside, self._is_missed, self._asks = False, False, 0
        self._conflict_us = 0
        self._began_us = now_us - _BEGIN_AGAIN_US
        self._announced_as, self._is_there, self._is_to_defend = None, False, False

    def _hold(self, facts: Facts, now_us: int) -> list[Act]:
        acts: list[Act] = []
        if facts.present is Present.OURS:
            self._held_us = now_us
        if now_us >= self._refresh_us + LIFETIME_S * _SECOND:  # suspended since, perhaps, and the LAN has forgotten
            self._announced_as = None
        if facts.present is Present.ABSENT:
            self.lost += self._is_there
            self._announced_as = None
            acts.append(Act.ADD)
            self._refresh_us = now_us + REFRESH_US
        elif now_us >= self._refresh_us:
            acts.append(Act.REFRESH)
            self._refresh_us = now_us + REFRESH_US
        self._is_there = True
        assert facts.link is not None
        if facts.link.mac and facts.link.has_carrier:
            acts += self._ask_rival(now_us)
            acts += self._announce((facts.leadership, facts.link.mac), now_us)
        else:
            self._announced_as = None
        self.next_us = min(self.next_us, self._refresh_us)
        return acts

    def _ask_rival(self, now_us: int) -> list[Act]:
        """Each announcement tells it to let go; has it? After a question the other hosts are not sure either, and hear it all
        again."""
        is_due = self._rival != "" and now_us >= self._rival_us
        if is_due and self._is_rival_asked:
            self._rival = ""
        elif is_due:
            self._is_rival_asked, self._rival_us = True, now_us + _ANSWER_US
            self._announced_as = None
        self._become(State.HELD, self._rival)
        if self._rival:
            self.next_us = min(self.next_us, self._rival_us)
        return [Act.PROBE] if is_due and self._rival else []

    def _note_rival(self, who: str, asked_us: int) -> None:
        rival = f"{who} has it, too: it is to be removed there"
        if rival != self._rival or self._is_rival_asked:
            self._rival_us = asked_us
        self._rival, self._is_rival_asked = rival, False

    def _announce(self, who: object, now_us: int) -> list[Act]:
        if who != self._announced_as:
            self._began_us = max(now_us, self._began_us + _BEGIN_AGAIN_US)
            self._announced, self._announced_as = 0, who
        acts = []
        if now_us >= self._announce_us() or (self._is_to_defend and now_us >= self._defended_us + _DEFENDED_AGAIN_US):
            acts.append(Act.ANNOUNCE)
            if self._is_to_defend:
                self._is_to_defend, self._defended_us = False, now_us
        while now_us >= self._announce_us():  # what was missed is not made up for
            self._announced += 1
        self.next_us = min(self.next_us, self._announce_us())
        if self._is_to_defend:
            self.next_us = min(self.next_us, self._defended_us + _DEFENDED_AGAIN_US)
        return acts

    def _announce_us(self) -> int:
        over = self._announced - len(ANNOUNCED_US) + 1
        if over <= 0:
            return self._began_us + ANNOUNCED_US[self._announced]
        return self._began_us + ANNOUNCED_US[-1] + over * _ANNOUNCED_AGAIN_US

    def asked(self, *, now_us: int) -> None:
        """Another host does not know whose it is, or asks because it knows of nobody. That will do for all who listen."""
        self._is_announced, self._question_us, self._ask_us = False, now_us, now_us + _ASKED_AGAIN_US
        self._asks = max(self._asks, 1)
        if self.state is State.HELD:
            self._announced_as = None

    def announced(self, *, now_us: int) -> None:
        """By another host. Not an answer: those come at once, and kingd-vip says it again."""
        if now_us >= self._question_us + _ANSWER_US:
            self._is_announced = True

    def claimed(self, who: str, *, by_member: bool, now_us: int) -> None:
        """Somebody else spoke as its owner. `who`: for people."""
        if self.state is State.PROBING:
            if by_member:  # it has not let go yet
                self._note_rival(who, now_us + _RIVAL_ASKED_US)
                self._probe_us, self._probes = now_us - _PROBED_AGAIN_US, _PROBES
                return
            self.conflicts += 1
            self._conflict_us = min(max(2 * self._conflict_us, _SECOND), _CONFLICT_AGAIN_US_MAX)
            self._again_us = now_us + self._conflict_us
            self._whose = f"{who} has it"
            self._become(State.CONFLICT, self._whose)
        elif self.state is State.HELD:
            self.conflicts += 1
            self._is_to_defend = True
            if by_member:
                self._note_rival(who, now_us + _RIVAL_ASKED_AGAIN_US)

    def failed(self, why: str, *, now_us: int) -> None:
        """What was to be done could not be."""
        self._become(State.WAITING, why)
        self._again_us = now_us + _FAILED_AGAIN_US
        self.next_us = self._again_us

    def _become(self, state: State, why: str = "") -> None:
        self.state, self.why = state, why
