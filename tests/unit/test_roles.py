"""docs/roles.md is what the core does, and the table of changes is what `Node.become` allows."""

import pytest

from kingd.core.state.pending import Votes
from kingd.core.state.roles import CHANGES, Follower, Joining, Leader, Seeking
from kingd.core.wire.message import NO_BALLOT, Role
from tests.unit.roles_page import MESSAGES, PAGE, in_role, kinds, page
from tests.unit.scripted import ballot


def test_page_is_up_to_date() -> None:
    assert PAGE.read_text() == page(), "run `.venv/bin/python -m tests.unit.roles_page`"


def test_page_has_every_message() -> None:
    assert {name.partition(" ")[0].rstrip(",") for name in MESSAGES} == kinds()


def test_every_role_has_an_object() -> None:
    assert {state.role for state in CHANGES} == set(Role)


def test_nobody_leads_who_has_not_claimed() -> None:
    bench, _ = in_role(Role.SEEKING)
    with pytest.raises(AssertionError):
        bench.node.become(Leader(ballot=ballot(9, 50), raised_us=0, votes=Votes()))


def test_who_leads_follows_nobody_before_it_has_given_that_up() -> None:
    bench, _ = in_role(Role.LEADER)
    with pytest.raises(AssertionError):
        bench.node.become(Follower())
    bench.node.become(Seeking(bench.now_us))
    bench.node.become(Follower())


def test_what_a_leader_knew_is_gone_with_its_leadership() -> None:
    bench, _ = in_role(Role.LEADER)
    assert bench.node.ballot.term
    assert bench.node.votes is not None
    bench.node.become(Joining())
    assert bench.node.ballot == NO_BALLOT
    assert bench.node.votes is None
