"""Whatever comes, the codec reads it or refuses it; and what it reads and writes is not larger than it may be."""

from dataclasses import replace

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from kingd.core.wire import grammar
from kingd.core.wire.codec import DATAGRAM_SIZE_MAX, DATAGRAM_SIZE_MIN, SIZE_MIN, encode
from kingd.core.wire.layout import HOLD_MS_MAX, LEASE_MS_MAX, ROSTER_ENTRIES_MAX, TAGS_MAX, TEXT_SIZE_MAX
from kingd.core.wire.message import (
    Ack,
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
    Offer,
    Ping,
    Pong,
    Probe,
    ProbeAck,
    Ready,
    Reason,
    Refuse,
    Report,
    Resign,
    Role,
    Roster,
    RosterEntry,
    SessionId,
    Survey,
    Ticket,
)
from kingd.core.wire.past import Events, Evidence, Recall, Sign, Told
from kingd.core.wire.reader import DecodeError
from kingd.core.wire.seal import Seal
from kingd.core.wire.trial import WAYS, Count, Echo, Trial, Way
from kingd.core.wire.voter_list import Generation, VoterList
from tests.unit.test_codec import CLUSTER, HEADER, HEADER_SIZE, SEAL, SIGNING, plain, read, refusal, sealed

u8 = st.integers(0, 0xFF)
u16 = st.integers(0, 0xFFFF)
u32 = st.integers(0, 0xFFFFFFFF)
u64 = st.integers(0, (1 << 64) - 1)
id64 = st.integers(1, (1 << 64) - 1)
ballots = st.builds(Ballot, u64, u64)
reasons = st.sampled_from(Reason)
leases = st.integers(0, LEASE_MS_MAX)
holds = st.integers(0, HOLD_MS_MAX)
texts = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), max_size=TEXT_SIZE_MAX)
names = st.from_regex(grammar.NAME, fullmatch=True)
versions = st.from_regex(grammar.VERSION, fullmatch=True)
tag_names = st.from_regex(grammar.TAG_NAME, fullmatch=True)
tags = st.lists(st.tuples(tag_names, texts.filter(grammar.is_tag)), max_size=TAGS_MAX).map(tuple)
tickets = st.builds(Ticket, ballot=ballots, session=u64, successor=u64, successor_session=u64)
addresses = st.ip_addresses().map(str)
ways = st.sampled_from(Way)
counts = st.builds(Count, way=ways, got=u32, sent=u32)
entries = st.builds(RosterEntry, node=u64, session=u64, host=addresses, port=u16)
spans_us = st.just(-1) | st.integers(0, 2**32 - 2).map(lambda ms: ms * 1000)
evidence = st.builds(
    Evidence,
    sign=st.sampled_from(Sign),
    silent_us=spans_us,
    heartbeats=u16,
    announcements=u16,
    unanswered=u16,
    agreed=u16,
    of=u16,
    lasted_us=spans_us,
)
past = st.builds(
    Told,
    number=u32,
    age_ms=u64,
    term=u64,
    kind=u8,
    reason=reasons,
    role=u8,
    on=u8,
    evidence=evidence,
    leader=names | st.just(""),
    previous=names | st.just(""),
    member=names | st.just(""),
)

bodies: st.SearchStrategy[Body] = st.one_of(
    st.builds(Announce, name=names, version=versions, interval_ms=u32, tags=tags),
    st.builds(Heartbeat, interval_ms=u32, lonely=st.booleans(), alive=u16, lease_ms=leases),
    st.builds(Probe, nonce=u64),
    st.builds(ProbeAck, echo=u64, name=names, version=versions, returns=u8, hold_ms=holds, nonce=u64),
    st.builds(
        Claim,
        term=u64,
        attempt=u32,
        pre_vote=st.booleans(),
        reason=reasons,
        ticket=st.none() | tickets,
        lease_ms=leases,
    ),
    st.builds(Grant, term=u64, attempt=u32, pre_vote=st.booleans()),
    st.builds(
        Refuse,
        term=u64,
        attempt=u32,
        pre_vote=st.booleans(),
        holder=ballots,
        holder_session=u64,
        led=st.booleans(),
        remaining_ms=u32,
    ),
    st.builds(Resign, ballot=ballots, successor=u64, successor_session=u64, reason=reasons, leaving=st.booleans()),
    st.builds(Ping, nonce=u32, heard=u64, polling=st.booleans()),
    st.builds(Pong, echo=u32),
    st.builds(Ack, sequence=u64),
    st.just(Obituary()),
    st.builds(Offer, ballot=ballots, reason=reasons, keep_ms=u32),
    st.builds(Ready, ballot=ballots, reason=reasons, silent=st.lists(u64, max_size=8).map(tuple)),
    st.builds(Survey, nonce=u64),
    st.builds(Report, echo=u64, name=names, leader_name=names | st.just("")),
    st.builds(Recall, nonce=u64, before=u32),
    st.builds(Events, echo=u64, told=st.lists(past, max_size=4).map(tuple)),
    st.builds(Roster, entries=st.lists(entries, max_size=ROSTER_ENTRIES_MAX).map(tuple), alive=u16),
    st.builds(Trial, run=u64, token=u64, number=u32, lane=u8, by=ways, back=ways, about=u64),
    st.builds(
        Echo,
        run=u64,
        token=u64,
        number=u32,
        lane=u8,
        by=ways,
        lag_ms=u32,
        about=u64,
        state=u8,
        ways=u8,
        heard_ms=u32,
        multicast_ms=u32,
        contact_ms=u32,
        port=u16,
        host=addresses | st.just(""),
        counts=st.lists(counts, max_size=len(WAYS)).map(tuple),
    ),
)
headers = st.builds(
    Header,
    cluster=st.just(CLUSTER),
    source=id64,
    destination=u64,
    session=id64,
    receiver=u64,
    sequence=id64,
    voters=st.builds(VoterList, u32, st.builds(Generation, u64, u16)),
    wanted=u32,
    leader=ballots,
    floor=ballots,
    priority=u16,
    role=st.sampled_from(Role),
    eligible=st.booleans(),
    recovering=st.booleans(),
    begun=st.booleans(),
    multicast=st.booleans(),
)
headers |= st.builds(replace, headers, eligible=st.just(False), ineligible=st.sampled_from(Ineligible))
datagrams = st.builds(Datagram, headers, bodies)


def is_datagram_or_refused(data: bytes) -> bool:
    """Whatever the bytes: a Datagram or a DecodeError; anything else that is raised fails the test."""
    try:
        return isinstance(read(data), Datagram)
    except DecodeError as error:
        return bool(error.reason)


@given(datagrams)
@settings(max_examples=300)
def test_round_trip_of_every_kind(datagram: Datagram) -> None:
    data = encode(datagram, SEAL)
    assert len(data) <= DATAGRAM_SIZE_MAX
    assert read(data) == datagram


@given(st.binary(max_size=DATAGRAM_SIZE_MAX + 64))
@example(b"Kg\x10\x01" + bytes(DATAGRAM_SIZE_MAX))
def test_052_random_bytes_are_refused(data: bytes) -> None:
    assert is_datagram_or_refused(data)


@given(datagrams, st.data())
def test_052_truncated_datagrams_are_refused(datagram: Datagram, data: st.DataObject) -> None:
    whole = encode(datagram, SEAL)
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    assert refusal(cut) in ("magic", "truncated", "length")


@given(datagrams, st.data())
def test_052_flipped_bits_are_refused(datagram: Datagram, data: st.DataObject) -> None:
    damaged = bytearray(encode(datagram, SEAL))
    for bit in data.draw(st.sets(st.integers(0, len(damaged) * 8 - 1), min_size=1, max_size=8)):
        damaged[bit // 8] ^= 1 << bit % 8
    assert refusal(bytes(damaged))


@given(datagrams, st.integers(0, 0xFFFF))
def test_052_length_that_lies_is_refused(datagram: Datagram, length: int) -> None:
    data = encode(datagram, SEAL)
    assume(length != len(data))
    assert refusal(data[:6] + length.to_bytes(2, "big") + data[8:]) == "length"


@given(datagrams, st.data())
@settings(max_examples=300)
def test_052_hostile_bodies_under_a_valid_checksum(datagram: Datagram, data: st.DataObject) -> None:
    """Whoever has the key (without one: everybody) can seal what he likes: cut short, overwritten, of another type."""
    body = bytearray(plain(datagram.body, datagram.header))
    body[3] = data.draw(st.integers(0, 20), label="type")
    for offset in data.draw(st.lists(st.integers(HEADER_SIZE - 4, len(body) - 1), max_size=6)):
        body[offset] = data.draw(u8)
    size = data.draw(st.integers(HEADER_SIZE, len(body)))
    assert is_datagram_or_refused(sealed(bytes(body[:size])))


# -- sizes

LONGEST_NAME, LONGEST_VERSION, LONGEST_TAG = "n" * 63, "1" * TEXT_SIZE_MAX, "é" * (TEXT_SIZE_MAX // 2)
LONGEST_PAST = Told(
    number=1,
    age_ms=1,
    term=1,
    kind=0,
    reason=0,
    role=0,
    leader=LONGEST_NAME,
    previous=LONGEST_NAME,
    member=LONGEST_NAME,
)


@pytest.mark.parametrize(
    "body",
    [
        Announce(name=LONGEST_NAME, version=LONGEST_VERSION, interval_ms=1, tags=(("k" * 32, LONGEST_TAG),) * TAGS_MAX),
        Roster(
            entries=(RosterEntry(node=NodeId(1), session=SessionId(1), host="f" * 45, port=1),) * ROSTER_ENTRIES_MAX
        ),
        Report(echo=1, name=LONGEST_NAME, leader_name=LONGEST_NAME),
        Recall(nonce=1, before=0),
        Events(echo=1, told=(LONGEST_PAST,) * 4),
    ],
    ids=["announce", "roster", "report", "recall", "events"],
)
def test_largest_datagrams_fit(body: Body) -> None:
    assert len(encode(Datagram(HEADER, body), SIGNING)) <= DATAGRAM_SIZE_MAX


@pytest.mark.parametrize("seal", [SEAL, SIGNING], ids=["unsigned", "signed"])
def test_whoever_sends_nothing_believable_gets_less_than_he_sent(seal: Seal) -> None:
    """Amplification below 1: nobody can use this host to flood another one. An announcement, or three of whatever is sent
    unsigned, earn a probe, which may be signed; a probe earns an answer."""
    announce = len(encode(Datagram(HEADER, Announce(name="", version="", interval_ms=1000)), SEAL))
    probe = len(encode(Datagram(HEADER, Probe(nonce=1)), seal))
    longest = ProbeAck(echo=1, name=LONGEST_NAME, version=LONGEST_VERSION, returns=255, nonce=1)
    ack = len(encode(Datagram(HEADER, longest), seal))
    assert ack < probe < announce
    assert probe < 3 * DATAGRAM_SIZE_MIN
    assert {1: announce, 3: probe}.items() <= SIZE_MIN.items()


@given(name=names, leader_name=names)
@example(name=LONGEST_NAME, leader_name=LONGEST_NAME)
@settings(max_examples=30)
def test_051_report_is_never_larger_than_its_survey(name: str, leader_name: str) -> None:
    survey = encode(Datagram(HEADER, Survey(nonce=1)), SIGNING)
    report = encode(Datagram(HEADER, Report(echo=1, name=name, leader_name=leader_name)), SIGNING)
    assert len(report) <= len(survey)


def test_no_answer_is_larger_than_the_question_what_has_happened() -> None:
    assert len(encode(Datagram(HEADER, Recall(nonce=1, before=0)), SEAL)) == DATAGRAM_SIZE_MAX
