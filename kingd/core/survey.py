"""Every member asked live for its own view: the seed's DEBUG. Who does not answer three questions in half a second is
not ok."""

from kingd.core.effect import Surveyed, SurveyRow
from kingd.core.members import Member, State
from kingd.core.message import Report, Survey, Term
from kingd.core.node import Node
from kingd.core.pending import Inquiry
from kingd.core.timing import MS, NEVER

_ASK_AT_US = (0, 150 * MS, 300 * MS)
_GIVE_UP_US = 500 * MS


def start(node: Node, token: int) -> None:
    """One at a time: a second one asked meanwhile gets the answer of the first (the runtime sees to that)."""
    node.inquiry = Inquiry(token=token, nonce=node.rng.getrandbits(64), started_us=node.now_us)
    _ask(node, node.inquiry)
    _finish_if_complete(node, node.inquiry)


def _asked(node: Node) -> list[Member]:
    return sorted((m for m in node.members if m.state is not State.LEFT), key=lambda m: m.rank)


def _ask(node: Node, inquiry: Inquiry) -> None:
    inquiry.resends += 1
    for member in _asked(node):
        if member.node not in inquiry.rows:
            node.send(Survey(nonce=inquiry.nonce), member)


def deadline_us(node: Node) -> int:
    inquiry = node.inquiry
    if inquiry is None:
        return NEVER
    wait_us = _ASK_AT_US[inquiry.resends] if inquiry.resends < len(_ASK_AT_US) else _GIVE_UP_US
    return inquiry.started_us + wait_us


def on_timer(node: Node) -> None:
    inquiry = node.inquiry
    assert inquiry is not None
    if inquiry.resends < len(_ASK_AT_US):
        _ask(node, inquiry)
    else:
        _finish(node, inquiry)


def on_survey(node: Node, member: Member, message: Survey) -> None:
    leader = node.peer(node.leader.node)
    node.send(Report(echo=message.nonce, name=node.settings.name, leader_name=leader.name if leader else ""), member)


def on_report(node: Node, member: Member, report: Report) -> None:
    inquiry = node.inquiry
    if inquiry is None or report.echo != inquiry.nonce or member.node in inquiry.rows:
        node.drop("stale-answer")
        return
    rtt_us = node.now_us - inquiry.started_us - _ASK_AT_US[inquiry.resends - 1]
    term = member.leader.term or member.floor.term
    inquiry.rows[member.node] = (report.name, member.priority, report.leader_name, term, max(rtt_us, 0))
    _finish_if_complete(node, inquiry)


def _finish_if_complete(node: Node, inquiry: Inquiry) -> None:
    if all(m.node in inquiry.rows for m in _asked(node)):
        _finish(node, inquiry)


def _finish(node: Node, inquiry: Inquiry) -> None:
    node.inquiry = None
    leader = node.peer(node.leader.node)
    mine = SurveyRow(
        node=node.id,
        name=node.settings.name,
        priority=node.priority,
        leader_name=leader.name if leader else "",
        term=node.leader.term or node.promise.ballot.term,
        ok=True,
        rtt_us=0,
    )
    node.out.append(Surveyed(inquiry.token, (mine, *(_row(m, inquiry) for m in _asked(node)))))


def _row(member: Member, inquiry: Inquiry) -> SurveyRow:
    answer = inquiry.rows.get(member.node)
    if answer is None:
        return SurveyRow(
            node=member.node,
            name=member.name,
            priority=member.priority,
            leader_name="",
            term=Term(0),
            ok=False,
            rtt_us=None,
        )
    name, priority, leader_name, term, rtt_us = answer
    return SurveyRow(
        node=member.node, name=name, priority=priority, leader_name=leader_name, term=term, ok=True, rtt_us=rtt_us
    )
