"""Somebody without the key who has recorded all that was ever said, in quorum mode with `enforce`: he must not achieve that
two lead at one instant, that a leader changes, or that none is found. An outsider asks all daemons all the time.
"""

import shutil
from collections.abc import Iterator

import pytest

from tests.lan.eavesdropper import Eavesdropper
from tests.lan.host import Host, until
from tests.lan.network import Lan
from tests.lan.test_quorum import judged, voters

pytestmark = pytest.mark.lan
Trio = tuple[Host, Host, Host]

_BEATS = 250  # 25 s: more than a session says until it leads and is cut off


@pytest.fixture
def trio(lan: Lan) -> Trio:
    """Three voters with a key, not started yet."""
    a, b, c = lan.ranked(3, config=voters("a", "b", "c") + lan.with_key(bytes(range(32))))
    return a, b, c


@pytest.fixture
def eavesdropper(lan: Lan, trio: Trio) -> Iterator[Eavesdropper]:
    with Eavesdropper(lan) as eavesdropper, judged(*trio):
        lan.start(*trio)
        lan.until_led_by("a", trio)
        yield eavesdropper


def test_acknowledgements_of_a_former_session(lan: Lan, trio: Trio, eavesdropper: Eavesdropper) -> None:
    """The voters acknowledged heartbeats 1, 2, 3 ... of the leader's first session. In its second one it beats 1, 2, 3 ...
    again, and is cut off: what was said to the first one is the only answer that it gets."""
    a, b, c = trio
    eavesdropper.tactics = {"answer"}
    until(lambda: eavesdropper.beats(a) >= _BEATS, limit_s=120, what="to be recorded")
    a.restart()
    lan.until_complete(trio)
    lan.until_led_by("a", trio)
    answers = eavesdropper.sent["answer"]
    # It beats for a lease at most, ten times: some of the numbers are those of the first session, sooner or later.
    for _ in range(10):
        lan.split([a], [b, c])
        lan.until_led_by("b", [b, c])
        if eavesdropper.sent["answer"] > answers:
            break
        lan.heal()
        lan.until_led_by("a", trio)
        answers = eavesdropper.sent["answer"]
    assert eavesdropper.sent["answer"] > answers
    until(lambda: a.leader() is None, what=a.summary)
    lan.steady(2, [b, c])
    lan.heal()
    lan.until_led_by("a", trio)


def test_first_words_of_a_session_that_lives(lan: Lan, trio: Trio, eavesdropper: Eavesdropper) -> None:
    """At the first start of the cluster each voter says that it has no history. b's session lives since then. When c has lost
    its state, b's first words are said to it again: it must not take that for another first start, and lead a with b."""
    a, b, c = trio
    eavesdropper.tactics = set()
    lan.split([b], [a, c])
    for _ in range(2):  # the term rises, and b does not know
        a.restart()
        until(lambda: a.leader() is None)
        lan.until_led_by("a", [a, c])
    c.kill()
    shutil.rmtree(c.state_folder)
    lan.drop_exactly([lan.between([a], [b, c]), lan.between([b, c], [a])])  # in one step: b hears nothing of a
    eavesdropper.tactics = {"fresh"}
    c.start()
    until(lambda: c.status_or_none() is not None and eavesdropper.sent["fresh"] > 50, what=c.summary)
    lan.steady(5, [b, c])
    assert b.leader() is c.leader() is None
    lan.heal()
    lan.until_led_by("a", trio)


def test_heartbeats_of_a_leader_that_is_gone(lan: Lan, trio: Trio, eavesdropper: Eavesdropper) -> None:
    """It led for long, and its host is off. The others start again, and hear it beat, as slowly as it suffices: whom they
    cannot reach, and nobody follows, holds them up for a moment."""
    a, b, c = trio
    until(lambda: eavesdropper.beats(a) >= _BEATS, limit_s=120, what="to be recorded")
    for host in trio:
        host.kill()
    lan.pull(a)
    eavesdropper.tactics = {"heartbeat"}
    lan.start(b, c)
    lan.until_led_by("b", [b, c])


def test_heartbeats_that_were_cut_off(lan: Lan, trio: Trio, eavesdropper: Eavesdropper) -> None:
    """c does not hear the leader for a while, and gets its heartbeats one by one, more slowly than they were sent. When the
    leader has died most of them are left: c does not follow it for as long as they last, but elects another with b."""
    a, b, c = trio
    eavesdropper.tactics = {"heartbeat"}
    lan.split([a], [c])
    beats = eavesdropper.beats(a) + _BEATS
    until(lambda: eavesdropper.beats(a) >= beats, limit_s=120, what="to be recorded")
    lan.power_off(a)
    lan.until_led_by("b", [b, c])
