"""Every errno becomes a sentence that says what failed, why, and what still works; each problem is told once."""

import errno

import pytest

from kingd.net.links import Link
from kingd.net.problems import Operation, Problem, Problems, describe, unused

ETH0 = Link("eth0", 2, 4, "10.0.0.1", 24, "10.0.0.255", primary=True)
ETH1 = Link("eth1", 3, 4, "10.1.0.1", 24, "10.1.0.255", primary=True)


def sending_failed(number: int, link: Link = ETH0, to: str = "239.255.54.66") -> Problem:
    return describe(OSError(number, ""), Operation.MULTICAST, port=5466, link=link, to=to)


def test_firewall_sentence_is_whole() -> None:
    assert str(sending_failed(errno.EPERM)) == (
        "eth0 (10.0.0.1): multicasting to 239.255.54.66 failed (EPERM): a local firewall rule refuses it; "
        "allow UDP 5466 in and out; unicast and other interfaces go on"
    )


@pytest.mark.parametrize(
    ("operation", "number", "says"),
    [
        (Operation.OPEN, errno.EADDRINUSE, "ss -ulnp sport = :5466"),
        (Operation.OPEN, errno.EADDRNOTAVAIL, "dadfailed"),
        (Operation.OPEN, errno.EACCES, "above 1023"),
        (Operation.OPEN, errno.EMFILE, "LimitNOFILE="),
        (Operation.JOIN, errno.ENODEV, "cannot multicast"),
        (Operation.JOIN, errno.ENOBUFS, "igmp_max_memberships"),
        (Operation.LISTEN_BROADCAST, errno.EADDRINUSE, "multicast and unicast still work"),
        (Operation.UNICAST, errno.ENETUNREACH, "ip route"),
        (Operation.UNICAST, errno.EACCES, "network.peers"),
        (Operation.MULTICAST, errno.ENOBUFS, "transmit queue"),
        (Operation.MULTICAST, errno.ENETDOWN, "ip link set eth0 up"),
        (Operation.BROADCAST, errno.EMSGSIZE, "MTU"),
        (Operation.NETLINK, errno.EAFNOSUPPORT, "RestrictAddressFamilies="),
        (Operation.RECEIVE, errno.ENOMEM, "memory"),
    ],
)
def test_sentence_says_what_to_do(operation: Operation, number: int, says: str) -> None:
    problem = describe(OSError(number, ""), operation, port=5466, link=ETH0, to="10.0.0.2")
    assert says in problem.text
    assert problem.error == errno.errorcode[number]


@pytest.mark.parametrize("operation", Operation)
def test_every_errno_of_every_operation_becomes_a_sentence(operation: Operation) -> None:
    for number in [*errno.errorcode, 0, 4711]:
        text = describe(OSError(number, ""), operation, port=5466, link=ETH0).text
        assert text.startswith("eth0 (10.0.0.1): ")
        assert not set(text) & set("{}")
        assert "; " in text


def test_error_without_errno_keeps_its_own_words() -> None:
    assert "no interfaces today" in describe(OSError("no interfaces today"), Operation.SCAN, port=5466).text


def test_problem_is_reported_once_whoever_the_peer_is() -> None:
    reported: list[Problem] = []
    problems = Problems(reported.append)
    for host in range(1000):
        problems.failed(sending_failed(errno.EHOSTUNREACH, to=f"10.0.3.{host}"))
    assert [problem.error for problem in reported] == ["EHOSTUNREACH"]
    assert problems.current() == reported


def test_different_errno_is_reported_again() -> None:
    reported: list[Problem] = []
    problems = Problems(reported.append)
    for number in (errno.EPERM, errno.ENOBUFS, errno.EPERM, errno.ENOBUFS):
        problems.failed(sending_failed(number))
    assert [problem.error for problem in reported] == ["EPERM", "ENOBUFS"]


def test_send_problem_is_forgotten_only_after_a_period_without_failure() -> None:
    reported: list[Problem] = []
    problems = Problems(reported.append)
    for _ in range(3):  # a rule that drops every other datagram: one problem, told once
        problems.failed(sending_failed(errno.EPERM))
        problems.worked(ETH0, Operation.MULTICAST)
        problems.sweep()
    assert len(reported) == len(problems.current()) == 1
    problems.worked(ETH0, Operation.MULTICAST)
    problems.sweep()
    assert not problems.current()
    problems.failed(sending_failed(errno.EPERM))
    assert len(reported) == 2


def test_send_problem_stays_while_nothing_is_sent() -> None:
    problems = Problems(lambda problem: None)
    problems.failed(sending_failed(errno.EPERM))
    for _ in range(5):
        problems.sweep()
        problems.worked(ETH1, Operation.MULTICAST)
        problems.worked(ETH0, Operation.UNICAST)
    assert [problem.error for problem in problems.current()] == ["EPERM"]


def test_problems_of_a_link_go_with_it() -> None:
    problems = Problems(lambda problem: None)
    problems.failed(sending_failed(errno.EPERM, ETH0))
    problems.failed(sending_failed(errno.EPERM, ETH1))
    problems.keep_links([ETH1])
    assert [problem.link for problem in problems.current()] == [ETH1]
    problems.forget_link(ETH1)
    assert not problems


def test_unused_interface_is_reported_again_when_the_reason_changes() -> None:
    reported: list[Problem] = []
    problems = Problems(reported.append)
    for why in ("it is down", "it is down", "it has no address"):
        problems.replace(Operation.CHOOSE, [unused("eth7", why)])
    assert ["eth7" in problem.text for problem in reported] == [True, True]
    assert len(problems.current()) == 1
