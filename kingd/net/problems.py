"""What is wrong with the network now, in sentences an operator can act on.

In: an OSError and what was being tried. Out: `Problem`s: each is reported once when it appears, listed while it
lasts, forgotten when the same thing works again. Nothing here raises: an unforeseen errno still becomes a sentence.

Invariant: the list is bounded, because a problem is known by (link, operation, errno) and not by the peer it was met
with; the text keeps the first peer's address as an example.

A send that fails now and then (a firewall rule that drops some) is one lasting problem and not a new one each time:
`sweep` forgets it only after a whole period in which it worked and never failed.
"""

import errno
import os
from collections.abc import Callable
from enum import Enum

from kingd.net.links import Link
from kingd.records import dataclass, field


class Operation(Enum):
    """What was being tried. The value is how it reads in a sentence."""

    SCAN = "listing the network interfaces"
    NETLINK = "watching for interface changes"
    CHOOSE = "using a configured interface"
    FIND = "finding other hosts"
    OPEN = "opening the address"
    JOIN = "joining the multicast group"
    LISTEN_BROADCAST = "listening for broadcasts"
    RECEIVE = "receiving"
    UNICAST = "sending"
    MULTICAST = "multicasting"
    BROADCAST = "broadcasting"


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that does not work, as people are told it."""

    link: Link | None  # None: not of one link
    operation: Operation
    error: str  # errno name, "EPERM"
    text: str = field(compare=False)
    subject: str = ""  # what tells apart problems that are not of a link

    def __str__(self) -> str:
        return self.text


_STILL_WORKS = {
    Operation.SCAN: "the addresses known so far stay in use; tried again every second",
    Operation.NETLINK: "changes are noticed within seconds instead of at once",
    Operation.CHOOSE: "other interfaces go on; it is used as soon as it is ready",
    Operation.FIND: "waiting for another host to speak first",
    Operation.OPEN: "other addresses and interfaces go on; tried again every second",
    Operation.JOIN: "unicast and broadcast still work here; tried again every second",
    Operation.LISTEN_BROADCAST: "multicast and unicast still work here; tried again every second",
    Operation.RECEIVE: "tried again with the next datagram",
    Operation.UNICAST: "other members and interfaces go on",
    Operation.MULTICAST: "unicast and other interfaces go on",
    Operation.BROADCAST: "multicast, unicast and other interfaces go on",
}

_SENDING = {Operation.UNICAST, Operation.MULTICAST, Operation.BROADCAST}

_CAUSES = {
    errno.EPERM: "a local firewall rule refuses it; allow UDP {port} in and out",
    errno.EACCES: "not allowed; check SELinux, AppArmor, or the unit's IPAddressDeny= and SocketBindDeny=",
    errno.EADDRINUSE: "another program holds UDP port {port}; find it with `ss -ulnp sport = :{port}`",
    errno.EADDRNOTAVAIL: "the address was just removed, or another host has it too (dadfailed); see `ip address`",
    errno.EAFNOSUPPORT: "this kernel or sandbox has no such address family; see RestrictAddressFamilies= in the unit",
    errno.EAGAIN: "the socket's send queue is full, the link is slower than the traffic; look at `ip -s link`",
    errno.EBADF: "the socket is gone, which is a fault of kingd; please report it",
    errno.ECONNREFUSED: "no daemon listens at that address",
    errno.EHOSTDOWN: "that host does not answer on the link; is it switched on?",
    errno.EHOSTUNREACH: "that host does not answer, or a route rejects it; check `ip route` and `ip neigh`",
    errno.EINVAL: "the address no longer belongs to this link, or makes no sense on it; check `ip address`",
    errno.EMFILE: "kingd has no file descriptor left; raise LimitNOFILE= or name fewer in network.interfaces",
    errno.EMSGSIZE: "the datagram is larger than the link's MTU; set the MTU to 1280 or more",
    errno.ENETDOWN: "the interface is down; bring it up with `ip link set INTERFACE up`",
    errno.ENETUNREACH: "there is no route to it from here; check `ip route` and `ip -6 route`",
    errno.ENFILE: "the host has no file descriptor left; raise fs.file-max",
    errno.ENOBUFS: "the interface's transmit queue is full; look at `ip -s link` for dropped packets",
    errno.ENODEV: "the interface is gone or cannot multicast; check `ip link`",
    errno.ENOMEM: "the kernel has no memory left for sockets; check `free` and net.core.optmem_max",
    errno.ENOPROTOOPT: "this kernel does not know the option; kingd needs Linux 5.10 or newer",
    errno.ENXIO: "the interface is gone; check `ip link`",
}

# Where the same errno means something else.
_SPECIAL_CAUSES = {
    (Operation.SCAN, errno.EAGAIN): "no thread can be started; see pids.max, TasksMax= and `ulimit -u`",
    (Operation.OPEN, errno.EACCES): "port {port} needs a privilege; use a network.port above 1023",
    (Operation.OPEN, errno.ENOBUFS): "the kernel has no memory left for sockets; check `free`",
    (Operation.JOIN, errno.EINVAL): "the group is not a multicast address; check network.group4 and network.group6",
    (Operation.JOIN, errno.ENOBUFS): "too many group memberships; raise net.ipv4.igmp_max_memberships",
    (Operation.JOIN, errno.ENOMEM): "too many group memberships or no memory; raise net.core.optmem_max",
    (Operation.UNICAST, errno.EACCES): "it is a broadcast address, or a policy forbids it; check network.peers",
}


def describe(error: OSError, operation: Operation, *, port: int, link: Link | None = None, to: str = "") -> Problem:
    """`eth0 (10.0.0.1): multicasting to 239.255.54.66 failed (EPERM): a local firewall ...; unicast ... go on`."""
    number, name = error.errno or 0, name_of(error)
    cause = _SPECIAL_CAUSES.get((operation, number)) or _CAUSES.get(number) or _unknown(error)
    cause = cause.replace("{port}", str(port)).replace("INTERFACE", link.interface if link else "NAME")
    where = f"{link}: " if link else ""
    target = f" to {to}" if to and operation in _SENDING else ""
    text = f"{where}{operation.value}{target} failed ({name}): {cause}; {_STILL_WORKS[operation]}"
    return Problem(link, operation, name, text)


def name_of(error: OSError | None) -> str:
    """EPERM; "": there is none."""
    if error is None:
        return ""
    return errno.errorcode.get(error.errno or 0, f"errno {error.errno or 0}")


def unused(interface: str, why: str) -> Problem:
    """A configured interface that gives no link."""
    text = f"{interface} (network.interfaces): not in use: {why}; {_STILL_WORKS[Operation.CHOOSE]}"
    return Problem(None, Operation.CHOOSE, "ENODEV", text, subject=f"{interface}: {why}")


def nobody_to_greet(interfaces: list[str]) -> Problem:
    """No interface that is up can speak to everybody, and nobody is named."""
    text = (
        f"{', '.join(interfaces)}: up, but without multicast, and network.peers names nobody: list the addresses of the other "
        f"hosts in network.peers and restart kingd; {_STILL_WORKS[Operation.FIND]}"
    )
    return Problem(None, Operation.FIND, "ENODEV", text, subject=",".join(interfaces))


def too_many(limit: int, total: int) -> Problem:
    text = (
        f"only {limit} of {total} addresses of this host are in use; name the LAN's interfaces in network.interfaces; "
        f"{_STILL_WORKS[Operation.OPEN]}"
    )
    return Problem(None, Operation.SCAN, "EMFILE", text)


def _unknown(error: OSError) -> str:
    """Some causes carry no errno at all (netifaces)."""
    text = os.strerror(error.errno) if error.errno else str(error)
    return f"{text or type(error).__name__}; see `ip address` and `ip route`"


@dataclass(slots=True)
class _Evidence:
    """What was seen of one problem since the last sweep."""

    failed: bool = True
    worked: bool = False


class Problems:
    """The current ones."""

    def __init__(self, report: Callable[[Problem], None]) -> None:
        self._report = report
        self._current: dict[Problem, _Evidence] = {}

    def __bool__(self) -> bool:
        return bool(self._current)

    def current(self) -> list[Problem]:
        return list(self._current)

    def failed(self, problem: Problem) -> None:
        evidence = self._current.get(problem)
        if evidence is None:
            self._current[problem] = _Evidence()
            self._report(problem)
        else:
            evidence.failed = True

    def worked(self, link: Link | None, operation: Operation) -> None:
        """A send got through. Forgotten only by the next but one `sweep`: it may fail again in a moment."""
        for problem, evidence in self._current.items():
            if problem.link == link and problem.operation is operation:
                evidence.worked = True

    def sweep(self) -> None:
        """One period is over."""
        for problem, evidence in list(self._current.items()):
            if evidence.worked and not evidence.failed:
                del self._current[problem]
            else:
                evidence.failed = evidence.worked = False

    def cleared(self, link: Link | None, operation: Operation) -> None:
        """It is known to work (an opened socket, not a lucky send)."""
        self._drop(lambda problem: problem.link == link and problem.operation is operation)

    def forget_link(self, link: Link) -> None:
        self._drop(lambda problem: problem.link == link)

    def keep_links(self, links: list[Link]) -> None:
        """Forget links that are no more, also those that were never open."""
        self._drop(lambda problem: problem.link is not None and problem.link not in links)

    def replace(self, operation: Operation, now: list[Problem]) -> None:
        """`now` is all that is wrong about this operation."""
        self._drop(lambda problem: problem.operation is operation and problem not in now)
        for problem in now:
            self.failed(problem)

    def _drop(self, is_over: Callable[[Problem], bool]) -> None:
        for problem in [problem for problem in self._current if is_over(problem)]:
            del self._current[problem]
