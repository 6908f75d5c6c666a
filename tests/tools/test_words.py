"""Every message has a sentence, and a change of leadership has a beginning and an end."""

import itertools
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given

from kingd.core.wire.message import (
    NOBODY,
    Announce,
    Ballot,
    Body,
    Claim,
    Datagram,
    Grant,
    Header,
    Heartbeat,
    Ineligible,
    NodeId,
    Obituary,
    Ready,
    Reason,
    Refuse,
    Resign,
    Role,
    SessionId,
    Term,
    Ticket,
)
from kingd.tools.rounds import Rounds
from kingd.tools.words import Names, sentence
from tests.unit.test_codec import BODIES, HEADER, IDS
from tests.unit.test_codec_hostile import datagrams

A, B, C = NodeId(1), NodeId(2), NodeId(3)
NAMES = Names({A: "a", B: "b", C: "c"})


def ballot(term: int, node: NodeId) -> Ballot:
    return Ballot(Term(term), node)


def said(
    source: NodeId, body: Body, *, to: NodeId = NOBODY, leader: Ballot | None = None, role: Role = Role.FOLLOWER
) -> Datagram:
    fields = {name: getattr(HEADER, name) for name in HEADER.__slots__}
    leader = leader or ballot(1, A)
    fields |= {"source": source, "destination": to, "leader": leader, "floor": leader, "role": role}
    return Datagram(Header(**fields), body)


def beat(node: NodeId, term: int) -> Datagram:
    return said(node, Heartbeat(interval_ms=100, lonely=False, alive=3), leader=ballot(term, node), role=Role.LEADER)


def headings(story: Sequence[tuple[float, Datagram]]) -> list[str]:
    rounds = Rounds(NAMES, itertools.count(1))
    return [text for at_s, each in story for text in [*rounds.begin(at_s, each), *rounds.end(at_s, each)]]


@given(datagrams)
def test_whatever_is_said_has_a_sentence_that_is_safe_to_print(datagram: Datagram) -> None:
    assert sentence(datagram, Names()).isprintable()


def test_announcement_says_why_one_may_not_lead() -> None:
    datagram = said(A, Announce(name="a", version="1", interval_ms=1000))
    cases = {Ineligible.MAINTENANCE: "may not lead now (maintenance)", Ineligible.UNSAID: "may not lead now,"}
    for why, words in cases.items():
        header = replace(datagram.header, eligible=False, ineligible=why)
        assert words in sentence(Datagram(header, datagram.body), NAMES)


@pytest.mark.parametrize("body", BODIES, ids=IDS)
def test_sentences_are_different_and_short(body: Body) -> None:
    text = sentence(said(A, body, to=B), NAMES)
    assert 5 < len(text) < 160
    others = [sentence(said(A, each, to=B), NAMES) for each in BODIES if each is not body]
    assert text not in others


def test_name_is_learnt_from_who_tells_it() -> None:
    names = Names()
    assert names.of(0xABCDEF0123456789) == "#abcdef01"
    names.learn(said(A, Announce(name="box1", version="1", interval_ms=1000)))
    assert (names.of(A), names.known(B)) == ("box1", None)


TICKET = Ticket(ballot=ballot(1, A), session=SessionId(1), successor=B, successor_session=SessionId(2))


def test_death_of_a_leader_is_one_round() -> None:
    claim = Claim(term=Term(2), attempt=1, reason=Reason.LEADER_CRASHED, ticket=TICKET)
    assert headings(
        [
            (0.0, beat(A, 1)),
            (0.1, said(A, Obituary(), role=Role.LEADER)),
            (0.101, said(B, claim, to=C, role=Role.CANDIDATE)),
            (0.102, said(C, Grant(term=Term(2), attempt=1), to=B)),
            (0.103, beat(B, 2)),
            (0.203, beat(B, 2)),
        ]
    ) == ["the leader a is dead", "b leads in term 2, 3.0 ms later, with the consent of c"]


def test_silence_of_a_leader_says_how_long_it_was() -> None:
    claim = Claim(term=Term(2), attempt=1, reason=Reason.LEADER_TIMEOUT)
    story = [(0.0, beat(A, 1)), (0.5, said(B, claim, to=C, role=Role.CANDIDATE)), (0.51, beat(B, 2))]
    assert headings(story) == [
        "b wants to lead: the leader has fallen silent (a was heard last 500 ms ago)",
        "b leads in term 2, 10.0 ms later",
    ]


def test_claim_that_is_refused_comes_to_nothing() -> None:
    claim = Claim(term=Term(2), attempt=1, reason=Reason.LEADER_TIMEOUT)
    refuse = Refuse(
        term=Term(2),
        attempt=1,
        pre_vote=False,
        holder=ballot(1, A),
        holder_session=SessionId(1),
        led=True,
        remaining_ms=9,
    )
    assert headings([(0.0, said(B, claim, to=C)), (0.1, said(C, refuse, to=B)), (9.0, said(B, claim, to=C))]) == [
        "b wants to lead: the leader has fallen silent",
        "that came to nothing: c refused",
        "b wants to lead: the leader has fallen silent",
    ]


def test_what_a_follower_prepares_ends_with_its_word_that_it_is_ready() -> None:
    claim = Claim(term=Term(2), attempt=1, pre_vote=True, reason=Reason.LEADER_LEFT)
    ready = Ready(ballot=ballot(1, A), reason=Reason.LEADER_LEFT)
    assert headings([(0.0, said(B, claim, to=C)), (0.1, said(B, ready, to=A)), (0.2, beat(A, 1))]) == [
        "b makes sure that it could take over from a",
        "b is prepared, and nothing changes",
    ]


def test_trial_of_another_is_a_round_of_its_own() -> None:
    """The first one is not answered; the second one has a higher priority, and gets what it asks for."""
    prepared = Claim(term=Term(2), attempt=1, pre_vote=True, reason=Reason.LEADER_LEFT)
    better = Claim(term=Term(2), attempt=1, pre_vote=True, reason=Reason.HIGHER_PRIORITY)
    given = Resign(
        ballot=ballot(1, A), successor=B, successor_session=SessionId(2), reason=Reason.HIGHER_PRIORITY, leaving=False
    )
    story = [
        (0.0, said(C, prepared, to=B)),
        (1.0, said(B, better, to=C)),
        (1.1, said(A, given, to=B, role=Role.FOLLOWER)),
        (1.2, beat(B, 2)),
    ]
    assert headings(story) == [
        "c makes sure that it could take over from a",
        "nothing changes",
        "b wants to take over from a",
        "b leads in term 2, 200 ms later",
    ]


def test_obituary_of_a_follower_is_no_change_of_leadership() -> None:
    assert headings([(0.0, beat(A, 1)), (0.1, said(B, Obituary()))]) == []
