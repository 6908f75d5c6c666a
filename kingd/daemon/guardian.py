"""The guardian: a tiny process beside the daemon, which sends its obituary when it dies of whatever cause.

In: the daemon's pidfd, and the newest *will*: bytes that the daemon has signed, and from where to where to send them.
Out: these datagrams, three times, when the kernel says that the process has ended; then the guardian ends too. It holds
no key, knows no protocol, and believes no closed pipe: a daemon that lost all its descriptors still lives. It is forked
before anything else is imported, so that it stays small. docs/protocol.md 4.7.

systemd sends SIGTERM to both: the guardian takes no signal, and ends when the daemon has. Only SIGKILL to both silences
it; then the others notice by the leader timeout.

`_signal` and `_socket` are what `signal` and `socket` are made of, in C: what these add (enum above all) is a quarter of this
process's memory. For the same reason there is no `struct` and no `contextlib` here."""

# ruff: noqa: SIM105

import _signal  # type: ignore[import-not-found]  # mypy's own list of the standard library leaves it out
import _socket
import gc
import marshal
import os
import select
import sys
import time

_PAUSES_S = (0.0, 0.010, 0.040)  # before each copy: one may be lost, three in a row hardly
_MESSAGE_SIZE_MAX = 128 << 10
_INT_SIZE = 4  # C's
_NAME = b"kingd: guardian"  # the kernel keeps 15 characters

Address = tuple[str, int] | tuple[str, int, int, int]
Route = tuple[bool, Address, int, tuple[Address, ...]]
"""Of one link: is it IPv6? From where, with port 0 (the daemon's own is the daemon's), by which interface, and to whom."""


class Guardian:
    """The daemon's end. Use `Guardian.fork`."""

    def __init__(self, pid: int, pipe: _socket.socket) -> None:
        self._pid = pid
        self.pipe = pipe  # readable: the guardian has ended
        self._introduced = False

    @classmethod
    def fork(cls) -> "Guardian":
        """OSError: the system has no room for another process."""
        ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
        before = _signal.pthread_sigmask(_signal.SIG_BLOCK, _signal.valid_signals())  # from its first moment on
        try:
            pid = os.fork()
        except OSError:
            _signal.pthread_sigmask(_signal.SIG_SETMASK, before)
            ours.close()
            theirs.close()
            raise
        if pid == 0:
            try:
                ours.close()
                _become_small(theirs)
                _wait(theirs)
            finally:
                os._exit(0)  # whatever came of it: never back into what the daemon does
        _signal.pthread_sigmask(_signal.SIG_SETMASK, before)
        theirs.close()
        ours.setblocking(False)
        return cls(pid, ours)

    def leave(self, obituary: bytes, routes: list[Route]) -> None:
        """What to send should this process end, from now on; b"": nothing. OSError: the guardian did not get it."""
        message = marshal.dumps((obituary, routes))
        if self._introduced:
            self.pipe.send(message)
            return
        own = os.pidfd_open(os.getpid())  # here and not in `fork`: a detached daemon is a later process
        try:
            handle = own.to_bytes(_INT_SIZE, sys.byteorder)
            self.pipe.sendmsg([message], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, handle)])
        finally:
            os.close(own)
        self._introduced = True

    def reap(self) -> None:
        """After it has ended."""
        try:
            os.waitpid(self._pid, os.WNOHANG)
        except ChildProcessError:
            pass  # a detached daemon is not its parent


# -- the other process -----------------------------------------------------------------------------------------------


def _become_small(pipe: _socket.socket) -> None:
    """Of what it was born with it keeps the pipe: else whoever reads our output, say, would wait for it to end."""
    gc.disable()  # it would write to pages that are shared with the daemon, and there is nothing to collect
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)
    os.closerange(3, pipe.fileno())
    os.closerange(pipe.fileno() + 1, os.sysconf("SC_OPEN_MAX"))
    try:
        with open("/proc/self/comm", "wb") as comm:  # noqa: PTH123 - pathlib is megabytes
            comm.write(_NAME)
    except OSError:
        pass


def _wait(pipe: _socket.socket) -> None:
    will = _Will()
    daemon = None
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    while True:
        ready = {fd for fd, _ in poll.poll()}
        if pipe.fileno() in ready:
            message, handles, _, _ = pipe.recvmsg(_MESSAGE_SIZE_MAX, _socket.CMSG_LEN(_INT_SIZE))
            if message:  # before the death is looked at: it may be the last will, or that there is none
                will.replace(message)
            else:
                poll.unregister(pipe)
                if daemon is None:
                    return  # it never began
            if handles:
                daemon = int.from_bytes(handles[0][2], sys.byteorder)
                poll.register(daemon, select.POLLIN)
        elif daemon in ready:
            will.execute()
            return


class _Will:
    """The bytes, and an open socket for each route: nothing is left to do at the end but to send."""

    def __init__(self) -> None:
        self._obituary = b""
        self._routes: list[tuple[_socket.socket, tuple[Address, ...]]] = []

    def replace(self, message: bytes) -> None:
        for sock, _ in self._routes:
            sock.close()
        self._obituary, routes = marshal.loads(message)  # noqa: S302 - from the daemon that forked us
        self._routes = []
        for route in routes:
            try:
                self._routes.append((_open(route), route[3]))
            except OSError:
                pass  # its address has just gone; a newer will is on its way

    def execute(self) -> None:
        if not self._obituary:
            return
        for pause_s in _PAUSES_S:
            time.sleep(pause_s)
            for sock, targets in self._routes:
                for target in targets:
                    try:
                        sock.sendto(self._obituary, target)
                    except OSError:
                        pass


def _open(route: Route) -> _socket.socket:
    ipv6, source, ifindex, _ = route
    sock = _socket.socket(_socket.AF_INET6 if ipv6 else _socket.AF_INET, _socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        sock.bind(source)
        if ipv6:
            sock.setsockopt(_socket.IPPROTO_IPV6, _socket.IPV6_MULTICAST_IF, ifindex)
            sock.setsockopt(_socket.IPPROTO_IPV6, _socket.IPV6_MULTICAST_HOPS, 1)
        else:
            # struct ip_mreqn: two addresses, and this.
            interface = bytes(8) + ifindex.to_bytes(_INT_SIZE, sys.byteorder)
            sock.setsockopt(_socket.IPPROTO_IP, _socket.IP_MULTICAST_IF, interface)
            sock.setsockopt(_socket.IPPROTO_IP, _socket.IP_MULTICAST_TTL, 1)
    except OSError:
        sock.close()
        raise
    return sock
