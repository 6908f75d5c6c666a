"""leader, is-leader, status, members, survey, history: one question, one answer."""

import json

import click

from kingd.cli import leader as answers
from kingd.cli.ask import Ask
from kingd.cli.events import HEADER, SPARE, listed, row
from kingd.cli.exits import NO, OK, attempt, say
from kingd.cli.floating import floating_facts
from kingd.cli.quorum import state_words
from kingd.cli.text import age, clean, clock, facts, table, terminal_width
from kingd.control.answer import flag, number, number_or_none, rows, section, section_or_none, text, texts
from kingd.control.client import JsonObject, call
from kingd.control.validity import Answer

_json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object.")


@click.command()
@_json_option
@click.option("--address", is_flag=True, help="Where its kingd listens instead (UDP).")
@click.option("--term", is_flag=True, help="Its term instead: the fencing token.")
@click.option("--tag", metavar="NAME", help="Its tag NAME instead: url, port ...")
@click.pass_obj
def leader(ask: Ask, as_json: bool, address: bool, term: bool, tag: str | None) -> int:
    """Print the leader's name, and nothing else.

    Where its service is found, the leader announces in its tags: --tag url. --address is kingd's own UDP port.

    Exit code 1: there is no leader, or time ran out. 4: this node cannot know (joining, no quorum, isolated, stalled).
    """
    chosen = {"json": as_json, "address": address, "term": term, "tag": tag is not None}
    forms = [form for form, is_chosen in chosen.items() if is_chosen]
    if len(forms) > 1:
        raise click.UsageError(f"choose one of --{' and --'.join(forms)}")
    return answers.leader(ask.path, ask.timeout_s, form=forms[0] if forms else "name", tag=tag or "")


@click.command("is-leader")
@click.option("-v", "--verbose", is_flag=True, help="Say it in words, on stderr.")
@_json_option
@click.pass_obj
def is_leader(ask: Ask, verbose: bool, as_json: bool) -> int:
    """Exit 0 if this node leads, 1 if another does, 4 if that is not known.

    Silent without an option, unless nobody can say (codes 3 and 4: why, on stderr). For scripts, `&&` and ExecCondition=.
    """
    return answers.is_leader(ask.path, ask.timeout_s, verbose=verbose, as_json=as_json)


@click.command()
@_json_option
@click.pass_obj
def status(ask: Ask, as_json: bool) -> int:
    """This node, the leader, the term, why and since when, and how old the evidence is."""

    def verb() -> int:
        answer = Answer(ask.path, timeout_s=ask.timeout_s)
        if answer.is_over:
            return answers.if_still_good(answer, OK)
        shown = json.dumps(answer.status)
        if not as_json:
            lines = [*_status_facts(answer.status), *floating_facts(ask.path)]
            shown = facts(lines, width=terminal_width())
        print(shown, flush=True)
        return answers.if_still_good(answer, OK)

    return attempt(verb)


@click.command()
@_json_option
@click.pass_obj
def members(ask: Ask, as_json: bool) -> int:
    """Every member: role, state, when it was last heard, address, version, id."""

    def verb() -> int:
        answer = call(ask.path, "Members", timeout_s=ask.timeout_s)
        print(json.dumps(answer) if as_json else _members_table(rows(answer, "members")))
        return OK

    return attempt(verb)


@click.command()
@_json_option
@click.pass_obj
def survey(ask: Ask, as_json: bool) -> int:
    """Ask every member live whom it calls leader. Exit 0 only if all that live agree."""

    def verb() -> int:
        answer = call(ask.path, "Survey", timeout_s=ask.timeout_s)
        nodes = rows(answer, "nodes")
        print(json.dumps(answer) if as_json else _survey_table(nodes))
        if not any(node.get("leader") for node in nodes if flag(node, "ok")):
            return answers.explain_unknown(call(ask.path, "Status", timeout_s=ask.timeout_s))
        say(clean(verdict(nodes, agree=flag(answer, "agree"))))
        return OK if flag(answer, "agree") else NO

    return attempt(verb)


@click.command()
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="One JSON object a line, as watch has them; with --all they have other keys (JSON in kingctl(1)).",
)
@click.option("--all", "of_all", is_flag=True, help="Of all members, asked now: one story.")
@click.pass_obj
def history(ask: Ask, as_json: bool, of_all: bool) -> int:
    """The last 256 changes that this node saw, oldest first, with the reason of each and the evidence for it.

    With --all each member that lives is asked what it saw since its daemon started. Times are then by this host's clock,
    whatever the others' say. Exit code 1: somebody did not answer.
    """

    def verb() -> int:
        if of_all:
            return _history_of_all(ask, as_json=as_json)
        events = rows(call(ask.path, "History", timeout_s=ask.timeout_s), "events")
        if not as_json:
            print(listed(HEADER, [row(event) for event in events], spare=SPARE, width=terminal_width()))
        for event in events if as_json else []:
            print(json.dumps(event))
        return OK

    return attempt(verb)


def _history_of_all(ask: Ask, *, as_json: bool) -> int:
    from kingd.cli import story

    answer = call(ask.path, "Histories", timeout_s=ask.timeout_s)
    events = story.told(answer)
    if not as_json:
        shown = [story.row(passage) for passage in story.passages(events)]
        print(listed(story.HEADER, shown, spare=story.SPARE, width=terminal_width()))
    for event in events if as_json else []:
        print(json.dumps(event))
    if cut := story.cut(answer):
        say(clean(f"too much to tell at once; the oldest are left out of what is told by {', '.join(cut)}"))
    if silent := story.silent(answer):
        say(clean(f"no answer, so that its part is missing: {', '.join(silent)}"))
    return NO if silent else OK


def _security(security: JsonObject) -> str:
    mode, keys = text(security, "mode"), security.get("keys")
    names = [str(key) for key in keys] if isinstance(keys, list) else []
    if not names:
        return f"{mode}: whoever can send to the LAN is believed"
    others = [*(f"key {name}" for name in names[1:]), *(["what is not signed"] if mode == "permissive" else [])]
    return f"{mode}: signs with key {names[0]}" + (f"; believes {', '.join(others)} too" if others else "")


def _status_facts(answer: JsonObject) -> list[tuple[str, str]]:
    node, known, counts = section(answer, "node"), section_or_none(answer, "leader"), section(answer, "members")
    lines = [("node", f"{_who(node)}: {text(node, 'role')}")]
    if not flag(node, "eligible"):
        lines.append(("", f"may not lead: {answers.ineligible_words(node)}"))
    configured = number_or_none(node, "configured_priority")
    if configured not in (None, number(node, "priority")):
        lines.append(
            ("", f"its priority is by kingctl, until a reload or a restart; the configuration says {configured}")
        )
    if known is None:
        lines.append(("leader", answers.unknown(answer)[1]))
    elif known.get("id") == node.get("id"):
        lines.append(("leader", "this node"))
    else:
        lines.append(("leader", f"{_who(known)}; heard {age(number_or_none(answer, 'leader_age_ms'))} ago"))
    lines.append(("term", str(number(answer, "term"))))
    if answer.get("since") is not None:
        lines.append(("since", f"{clock(text(answer, 'since'))}: {answer.get('reason')}"))
    lines.append(("members", f"{number(counts, 'alive')} alive, {number(counts, 'dead')} dead"))
    lines += _cluster_facts(answer)
    lines.append(("security", _security(section(answer, "security"))))
    lines += [("problem", problem) for problem in texts(answer, "problems")]
    for stranger in rows(answer, "strangers"):
        heard = age(number_or_none(stranger, "last_seen_ms"))
        lines.append(("stranger", f"{stranger.get('address')}: {stranger.get('why')}, {heard} ago"))
    refused = section_or_none(answer, "rejected_lately")
    if refused:
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(refused.items()))
        lines.append(("refused", f"{reasons} (datagrams in the last minute; kingctl(1) explains the words)"))
    return lines


def _who(node: JsonObject) -> str:
    return f"{text(node, 'name')} ({node.get('address') or 'no address'}), priority {number(node, 'priority')}"


def _cluster_facts(answer: JsonObject) -> list[tuple[str, str]]:
    quorum, name = section(answer, "quorum"), text(section(answer, "node"), "name")
    mode, voters = f"{text(answer, 'cluster')}, {text(answer, 'mode')} mode", texts(quorum, "voters")
    if not voters:
        return [("cluster", f"{mode}: if the LAN is cut, each part has a leader")]
    lines = [
        ("cluster", f"{mode}; voters: {', '.join(voters)}"),
        ("quorum", state_words(quorum, is_leader_known=answer.get("leader") is not None)),
    ]
    if name not in voters:
        lines.append(("", f"{name}, this host, is not in quorum.voters: it does not vote"))
    return lines


def _members_table(nodes: list[JsonObject]) -> str:
    header = ("NAME", "PRIORITY", "ROLE", "STATE", "HEARD", "ADDRESS", "VERSION", "ID")
    spare = ("VERSION", "ID", "HEARD", "PRIORITY", "ADDRESS")
    return table(header, [_member_row(node) for node in nodes], spare=spare, width=terminal_width())


def _member_row(node: JsonObject) -> list[object]:
    heard = number_or_none(node, "last_heard_ms")
    return [
        node.get("name"),
        node.get("priority"),
        f"{node.get('role')}{_hindrance(node)}",
        node.get("state"),
        None if heard is None else f"{age(heard)} ago",
        node.get("address"),
        node.get("version"),
        node.get("id"),
    ]


def _hindrance(node: JsonObject) -> str:
    """As a member said it of itself: a word, and no more."""
    if flag(node, "eligible"):
        return ""
    why = node.get("ineligible_reason")
    return f" (may not lead: {why})" if why else " (may not lead)"


def _survey_table(nodes: list[JsonObject]) -> str:
    header = ("NAME", "PRIORITY", "LEADER", "TERM", "ANSWER")
    return table(header, [_survey_row(node) for node in nodes], spare=("PRIORITY", "TERM"), width=terminal_width())


def _survey_row(node: JsonObject) -> list[object]:
    if not flag(node, "ok"):
        claims = "no answer, and says that it leads" if node.get("leader") else "dead: no answer"
        return [
            node.get("name"),
            node.get("priority"),
            node.get("leader"),
            node.get("term") if node.get("leader") else None,
            claims,
        ]
    rtt_ms = number_or_none(node, "rtt_ms")
    answer = (f"{rtt_ms:.1f} ms" if rtt_ms else "this node") + _hindrance(node)
    return [node.get("name"), node.get("priority"), node.get("leader"), node.get("term"), answer]


def verdict(nodes: list[JsonObject], *, agree: bool) -> str:
    alive = [node for node in nodes if flag(node, "ok")]
    heard = [node for node in nodes if flag(node, "ok") or node.get("leader")]
    views = sorted({str(node["leader"]) if node.get("leader") else "nobody" for node in heard})
    silent = f"; {len(nodes) - len(alive)} did not answer" if len(nodes) > len(alive) else ""
    if agree:
        return f"{len(alive)} alive, all say that {' or '.join(views)} leads{silent}"
    advice = "ask again in a second, then kingctl status on each"
    return f"the views differ: {len(alive)} alive say {' or '.join(views)}{silent}; {advice}"


COMMANDS: list[click.Command] = [leader, is_leader, status, members, survey, history]
