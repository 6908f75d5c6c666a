"""What operators read of the core's facts: what happened, where, and what to do. Pure: facts in, sentences out.

They go to `kingctl status`, to the log, and with errors to who asked."""

from kingd.core.problems import (
    AllFellSilent,
    Ambiguous,
    AnotherRecovers,
    DeafLeader,
    FalselyDead,
    HandoverWaits,
    Hindrance,
    IdentityProblem,
    LeaderIsFirst,
    LeadsUnfit,
    LedByFormer,
    LinkProblem,
    ListWaits,
    ModeWouldChange,
    NobodyLeads,
    NobodyReady,
    NoLinks,
    NoPeerAnswers,
    NotEligible,
    NotKnown,
    NotLeading,
    Obstacle,
    OtherLists,
    Polled,
    Problem,
    Recovering,
    RolledBack,
    SharedId,
    SharedName,
    TooFar,
    TooFewAnswer,
    TooFewWant,
    Unanswering,
    VoterProblem,
)

_NAMED_MAX = 4  # of many hosts with one fault


def problem(found: Problem) -> str:
    match found:
        case HandoverWaits(reason):
            return (
                f"leadership is handed over ({reason.word}) when what runs here because this host leads has ended "
                "(systemctl list-dependencies kingd-leader.target): waiting for it, for 30 s at most"
            )
        case LeadsUnfit(why):
            return (
                f"this host leads and is not fit to ({why.word}): it leads on, for no other may; the first that may gets "
                "leadership (see `kingctl members`)"
            )
        case OtherLists() | Recovering() | ListWaits():
            return _voter_problem(found)
        case SharedId() | RolledBack() | SharedName() | FalselyDead():
            return _identity_problem(found)
        case _:
            return _link_problem(found)


def _link_problem(found: LinkProblem) -> str:
    match found:
        case NoLinks():
            return "no usable network interface: waiting for one (see `ip link`, and network.interfaces)"
        case Unanswering():
            return f"{found.who} is heard by multicast but does not answer: {_why_silent(found)}"
        case DeafLeader(name, endpoint, term):
            return (
                f"{name} ({endpoint}) says that it leads (term {term}), and does not answer: there are two leaders, and "
                f"that one hears nobody. Does a firewall on {name} drop what comes in (UDP)? See `kingctl status` there"
            )
        case AllFellSilent(names):
            return _nothing_heard(f"{', '.join(names)} fell silent without a word")
        case NoPeerAnswers(peers):
            return _nothing_heard(f"none of the {peers} peers that are configured or remembered has answered")
        case Polled(leader):
            return (
                f"multicast from the leader {leader} does not arrive (IGMP snooping without a querier? a firewall?): "
                "polling it by unicast"
            )


def _nothing_heard(missing: str) -> str:
    return (
        f"nothing is heard: {missing}. If they run, this host is cut off or deaf: does a firewall here drop what comes in "
        "(UDP, to and from kingd's port)? See `kingctl status` on one of them"
    )


def _why_silent(found: Unanswering) -> str:
    if found.key_id == found.own_key_id:
        return "unicast UDP between us is blocked (a firewall?)"
    if not found.own_key_id:
        differs = "it signs with a cluster key and this host does not"
    elif not found.key_id:
        differs = "this host signs with a cluster key and it does not"
    else:
        differs = "it signs with another cluster key than this host"
    return f"{differs}, so one of us may refuse what the other says (see CLUSTER KEY in kingd(8))"


def _identity_problem(found: IdentityProblem) -> str:
    match found:
        case SharedId(node_id, where):
            return (
                f"node id {node_id:016x} is also used by {where or 'another host'}: a copied state folder. Stop this daemon, "
                "remove its state.json, start it again"
            )
        case RolledBack():
            return (
                "others remember a later term of this node than its state folder holds: an older copy of the folder is in use "
                "(a restored backup? a reverted snapshot?). It is not trusted; terms go on above what the others know"
            )
        case SharedName(name, where, votes):
            shown = sorted("this one" if each is None else str(each) for each in where)[:_NAMED_MAX]
            return (
                f"{'two' if len(where) == 2 else len(where)} hosts are called {name} ({', '.join(shown)})"
                + (", which is a voter: none of them counts" if votes else "")
                + ": give all but one another name (`name` in kingd.toml)"
            )
        case FalselyDead(name):
            return (
                f"{name} lives, though an obituary said that it had died: somebody forges them (is there a cluster key?), or "
                "the guardian there is at fault. Its obituaries are not believed any more"
            )


def _voter_problem(found: VoterProblem) -> str:
    match found:
        case OtherLists(names, they_vote=True):
            return (
                f"{', '.join(names[:_NAMED_MAX])}: they vote by another list of quorum.voters than the one with which this "
                "host has begun, which has no record of its own. If it is in theirs: give this host alone that list, restart "
                "kingd here, and change the list again when this host votes. If it is not: change the list there"
            )
        case OtherLists(names):
            return (
                f"{', '.join(names[:_NAMED_MAX])}: another list of quorum.voters than here, so that their votes do not count: "
                "make the lists equal on all hosts, one name at a time"
            )
        case Recovering():
            return (
                "this voter has no record of what it promised before (a new host, or its state was lost): it votes when enough "
                "other voters tell"
            )
        case ListWaits(why):
            return f"the list of quorum.voters in the configuration is not in force yet: {obstacle(why)}"


def obstacle(found: Obstacle) -> str:
    """Why a list of voters is not in force."""
    match found:
        case ModeWouldChange():
            return (
                "quorum mode cannot be switched on or off while kingd runs: stop kingd on all hosts, then start it with the "
                "list"
            )
        case TooFar(changed):
            return (
                f"more than one voter would change ({', '.join(changed)}): add or remove one, reload on all hosts until "
                "`kingctl status` says that the list is in force, then the next"
            )
        case LeaderIsFirst():
            return "the leader has it first, in about two leases, and all who want it take it from there"
        case AnotherRecovers(names):
            return (
                f"{', '.join(names)} has no record of what it promised before: it waits until enough other voters have told "
                "(see `kingctl status` there)"
            )
        case TooFewWant(unwilling):
            return (
                f"more voters must want it: put it into the configuration of {', '.join(unwilling)}, and reload there "
                "(`kingctl reload`)"
            )
        case TooFewAnswer(silent):
            return (
                f"the new list needs the vote of {', '.join(silent)}, which does not answer the leader: see that kingd runs "
                "there"
            )
        case NobodyLeads():
            return (
                "nobody leads by the present list: it waits until somebody does (see `kingctl leader`); "
                "if nobody comes to, give all hosts the present list again, then this one; if nobody ever has, see "
                "`To take back a mistake` in kingd(8)"
            )
        case LedByFormer():
            return "the leader still leads by votes that were given before the present list: that ends with its lease"


def hindrance(found: Hindrance) -> tuple[str, str]:
    """Why nobody is handed over to: the error's name on the control socket, and the sentence."""
    match found:
        case NotLeading():
            return "NotLeader", "this node does not lead"
        case NobodyReady():
            return "NoSuccessor", "no other member is alive, eligible and in contact with this node"
        case NotKnown(wanted):
            return "UnknownMember", f"no other live member is called {wanted!r} (see `kingctl members`)"
        case Ambiguous(wanted, others):
            ids = ", ".join(sorted(f"{node_id:016x} ({endpoint})" for node_id, endpoint in others))
            return (
                "UnknownMember",
                f"more than one live member is called {wanted!r}: name the one that you mean by its id: {ids}",
            )
        case NotEligible(wanted):
            return "NoSuccessor", f"{wanted} is not eligible to lead (see `kingctl members`)"
