"""Every member asked live for its own view: the seed's DEBUG. Who does not answer three questions in half a second is
not ok. Of many members some are asked after the others: 450 answers at once would not fit into a socket."""

from kingd.core.effect import Surveyed, SurveyRow
from kingd.core.rules import saying
from kingd.core.rules.eligibility import ineligible, is_eligible
from kingd.core.rules.publishing import peer, rivals
from kingd.core.state.members import Member, State
from kingd.core.state.node import Node
from kingd.core.state.pending import Inquiry
from kingd.core.state.request import Request
from kingd.core.timing import MS
from kingd.core.wire.endpoint import Endpoint
from kingd.core.wire.message import Header, Report, Survey, Term, word_of

_AFTER_US = (0, 150 * MS, 300 * MS, 500 * MS)
_BATCH = 64
_BATCH_EVERY_US = 10 * MS


def start(node: Node, token: int) -> None:
    """One at a time: a second one asked meanwhile gets the answer of the first (the runtime sees to that)."""
    asked = sorted((m for m in node.members.everybody() if m.state is not State.LEFT), key=lambda m: m.rank)
    node.orders.inquiry = Inquiry(
        token=token,
        nonce=node.rng.getrandbits(64),
        began_us=node.now_us,
        asked=asked,
        batches=[
            (Request(node.now_us + number * _BATCH_EVERY_US, _AFTER_US), asked[at : at + _BATCH])
            for number, at in enumerate(range(0, len(asked), _BATCH))
        ],
        waiting={m.node: 0 for m in asked},
    )
    on_timer(node)


def on_timer(node: Node) -> None:
    inquiry = node.orders.inquiry
    for request, batch in list(inquiry.batches):
        if request.due_us > node.now_us:
            continue
        if not request.again():
            inquiry.batches.remove((request, batch))
            continue
        for asked in batch:
            if asked.node in inquiry.waiting:
                inquiry.waiting[asked.node] = node.now_us
                saying.send_to(
                    node, Survey(nonce=inquiry.nonce), target=asked.node, session=asked.session, endpoint=asked.endpoint
                )
    if not inquiry.batches:
        _finish(node, inquiry)


def on_survey(node: Node, asker: Header, endpoint: Endpoint, message: Survey) -> None:
    """Whoever asks is told: the answer is no longer than the question."""
    leader = peer(node, node.leader.node)
    report = Report(echo=message.nonce, name=node.settings.name, leader_name=leader.name if leader else "")
    saying.send_to(node, report, target=asker.source, session=asker.session, endpoint=endpoint)


def on_report(node: Node, header: Header, report: Report) -> None:
    """Of a member, or of somebody that is only heard of: the echo proves who it is."""
    inquiry = node.orders.inquiry
    if report.echo != inquiry.nonce or header.source not in inquiry.waiting:
        node.out.drop("stale-answer")
        return
    if (member := node.members.find(header.source, header.session)) is not None:
        node.note_contact(member, inquiry.began_us)  # a follower whom nobody else asks proves here that it hears
    rtt_us = node.now_us - inquiry.waiting.pop(header.source)
    term = header.leader.term or header.floor.term
    inquiry.rows[header.source] = SurveyRow(
        node=header.source,
        name=report.name,
        priority=header.priority,
        leader_name=report.leader_name,
        term=term,
        eligible=header.eligible,
        ineligible_reason=word_of(header.ineligible),
        rtt_us=rtt_us,
    )
    if not inquiry.waiting:
        _finish(node, inquiry)


def _finish(node: Node, inquiry: Inquiry) -> None:
    node.orders.inquiry = Inquiry()
    leader = peer(node, node.leader.node)
    mine = SurveyRow(
        node=node.id,
        name=node.settings.name,
        priority=node.priority,
        leader_name=leader.name if leader else "",
        term=node.leader.term or node.promise.floor.term,
        eligible=is_eligible(node),
        ineligible_reason=word_of(ineligible(node)),
        rtt_us=0,
    )
    claimed = {rival.node: rival.leader.term for rival in rivals(node, node.now_us)}
    others = [inquiry.rows.get(asked.node) or _silent(asked, claims=claimed.get(asked.node)) for asked in inquiry.asked]
    node.out.append(Surveyed(inquiry.token, (mine, *others)))


def _silent(asked: Member, *, claims: Term | None) -> SurveyRow:
    """`claims`: the term in which it says that it leads, to whoever hears it."""
    return SurveyRow(
        node=asked.node,
        name=asked.name,
        priority=asked.priority,
        leader_name="" if claims is None else asked.name,
        term=claims or Term(0),
        eligible=asked.eligible,
        ineligible_reason=word_of(asked.ineligible),
        rtt_us=None,
    )
