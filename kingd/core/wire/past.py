"""What nodes tell each other of what has been: RECALL and EVENTS, and the evidence for a change. docs/history.md.

(Reasons and roles are plain numbers here, for `message` imports this.)"""

from enum import IntEnum

from kingd.records import dataclass


class Sign(IntEnum):
    """What showed that a leader, or a member, is gone: the wire value, and in lower case with dashes the public word."""

    NONE = 0  # nothing but silence, or nothing is gone
    RESIGNED = 1  # its own word
    OBITUARY = 2  # its guardian's
    NEW_SESSION = 3  # its host answers under another session
    PORT_REFUSED = 4  # nobody listens where it was asked
    FOLLOWS_ANOTHER = 5  # it says that somebody else leads
    NO_LINK = 6  # this node has no usable network
    NOT_RENEWED = 7  # too few voters renewed their promise
    LONELY = 8  # nobody has shown that it hears this node, and another leads
    NOT_RUN = 9  # this process was not run

    @property
    def word(self) -> str:
        return self.name.lower().replace("_", "-")


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """For a change. What is 0 (`silent_us`, `lasted_us`: -1) is not said."""

    sign: Sign = Sign.NONE
    silent_us: int = -1  # since the last sign of life of who is gone
    heartbeats: int = 0  # of it that did not come meanwhile
    announcements: int = 0  # the same
    unanswered: int = 0  # questions to it
    agreed: int = 0  # how many of ...
    of: int = 0  # ... so many peers, who were alive, granted the claim, or renewed
    lasted_us: int = -1  # what `sign` names, as NO_LINK

    def __bool__(self) -> bool:
        return self != NO_EVIDENCE


NO_EVIDENCE = Evidence()


@dataclass(frozen=True, slots=True, kw_only=True)
class Recall:
    """What did you tell your users? Padded, so that the answer is never larger."""

    nonce: int  # u64
    before: int  # u32: only of events with a lower number; 0: the newest


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An event as its node told it. Numbers of enumerations, for those of a later version are no fault."""

    number: int  # u32, from 1, in the order in which they were told
    age_ms: int  # u64: how long ago, by the clock of who answers; no two clocks need agree
    term: int
    kind: int  # of effect.KINDS
    reason: int  # message.Reason
    role: int  # message.Role, of that node then
    on: int = 0  # of maintenance and check-failed: 1 that is over, 2 it begins
    evidence: Evidence = NO_EVIDENCE
    leader: str = ""  # names; "" = none
    previous: str = ""
    member: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """The answer: the newest first, as many as a datagram holds. None: there are no older ones."""

    echo: int
    told: tuple[Told, ...] = ()
