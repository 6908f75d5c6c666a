"""What is wrong with this host: what its daemon and its kernel say, without anybody else."""

from collections.abc import Iterator

from kingd.doctor.facts import BACK, ENOUGH, Facts, Interface, Peer, Trouble
from kingd.doctor.finding import Finding, Severity
from kingd.doctor.remedies import allow

_STALL_HEARTBEATS = 3
_LONG_AGO_MS = 3_600_000
# In a minute. Fewer keep nobody out, for every host says again within a second who it is; and where many hosts start at
# once on a busy machine a few are not looked at.
_FLOOD = 1_000
_SENDING = ("unicast", "multicast", "broadcast")


def judge(facts: Facts) -> Iterator[Finding]:
    yield from _no_links(facts)
    yield from _refused_by_kernel(facts)
    yield from _port_taken(facts)
    yield from _dropped_here(facts)
    yield from _wrong_way_back(facts)
    yield from _late(facts)
    yield from _clocks(facts)
    yield from _flood(facts)


def _no_links(facts: Facts) -> Iterator[Finding]:
    for trouble in facts.troubles:
        if trouble.kind == "NoLinks":
            if not any(each.kind == "find-ENODEV" for each in facts.troubles):
                yield _no_link_at_all(facts, trouble)
        elif trouble.kind == "choose-ENODEV":
            yield _unused(facts, trouble)
        elif trouble.kind == "find-ENODEV":
            yield Finding(
                code="no-multicast",
                what="no interface of this host can multicast, and network.peers names nobody",
                evidence=trouble.text,
                remedy="editor /etc/kingd/kingd.toml  # network.peers = [addresses of the other hosts]",
            )


def _no_link_at_all(facts: Facts, trouble: Trouble) -> Finding:
    dead = [each for each in facts.local.interfaces if not (each.is_up and each.has_carrier)]
    if dead:
        return _no_carrier(dead[0])
    names = ", ".join(each.name for each in facts.local.interfaces) or "none but the loopback"
    interface = facts.local.interfaces[0].name if facts.local.interfaces else "eth0"
    return Finding(
        code="no-address",
        what="this host has no network: no interface has an address",
        evidence=f"interfaces: {names}; {trouble.text}",
        remedy=f"ip address show dev {interface}",
    )


def _unused(facts: Facts, trouble: Trouble) -> Finding:
    found = next((each for each in facts.local.interfaces if each.name == trouble.interface), None)
    if found is None:
        return Finding(
            code="no-interface",
            what=f"{trouble.interface} of network.interfaces does not exist here",
            evidence=f"there are: {', '.join(each.name for each in facts.local.interfaces) or 'none'}",
            remedy="ip -brief link",
            interface=trouble.interface,
        )
    if not (found.is_up and found.has_carrier):
        return _no_carrier(found)
    return Finding(
        code="no-address",
        what=f"{found.name} of network.interfaces has no address",
        evidence=f"{found.name} is up, with {len(found.addresses)} addresses",
        remedy=f"ip address show dev {found.name}",
        interface=found.name,
    )


def _no_carrier(interface: Interface) -> Finding:
    state = "is down" if not interface.is_up else "has no carrier"
    return Finding(
        code="no-carrier",
        what=f"{interface.name} {state}",
        evidence=f"{interface.name}: up {'yes' if interface.is_up else 'no'}, carrier "
        f"{'yes' if interface.has_carrier else 'no'}, {len(interface.addresses)} addresses",
        remedy=f"ip link set {interface.name} up" if not interface.is_up else f"ethtool {interface.name}",
        interface=interface.name,
    )


def _refused_by_kernel(facts: Facts) -> Iterator[Finding]:
    refused = [each for each in facts.troubles if each.kind.endswith("-EPERM") and each.kind.split("-")[0] in _SENDING]
    if refused:
        yield Finding(
            code="fw-local-out",
            what="this host's own firewall refuses what kingd sends",
            evidence="; ".join(sorted(f"{each.kind.split('-')[0]} on {each.interface}: EPERM" for each in refused)),
            remedy=allow(facts.local.firewall, facts.port),
            interface=refused[0].interface,
        )
    for trouble in facts.troubles:
        operation, _, error = trouble.kind.partition("-")
        if not error.startswith("E") or error == "EPERM" or operation in ("choose", "find"):
            continue
        if error == "EMSGSIZE":
            yield _mtu_here(facts, trouble)
        else:
            yield Finding(
                code="network-error",
                what=f"{operation} fails on {trouble.interface or 'this host'} ({error})",
                evidence=trouble.text,
                remedy=f"ip -s link show dev {trouble.interface}" if trouble.interface else "ip route",
                interface=trouble.interface,
            )


def _mtu_here(facts: Facts, trouble: Trouble) -> Finding:
    mtu = next((each.mtu for each in facts.local.interfaces if each.name == trouble.interface), 0)
    return Finding(
        code="mtu",
        what=f"the MTU of {trouble.interface} is too small for kingd",
        evidence=f"MTU {mtu}, wanted are 1280: {trouble.text}",
        remedy=f"ip link set dev {trouble.interface} mtu 1500",
        interface=trouble.interface,
    )


def _port_taken(facts: Facts) -> Iterator[Finding]:
    own = (facts.address or "").rpartition(":")[2]
    owner = facts.local.port_owner
    if own.isdigit() and int(own) != facts.port and owner is not None and not owner.startswith("kingd"):
        yield Finding(
            code="port-taken",
            what=f"UDP port {facts.port} is taken by {owner}: firewalls that let {facts.port} pass do not let kingd pass",
            evidence=f"kingd is at port {own} instead; {owner} holds {facts.port}",
            remedy=f"ss -ulnp sport = :{facts.port}",
        )


def _dropped_here(facts: Facts) -> Iterator[Finding]:
    """The frames came in, and the daemon has not got them: all between the two is this host."""
    for peer in facts.peers:
        paths = dropped_paths(facts, peer)
        if paths:
            yield Finding(
                code="fw-local-in",
                what="this host's own firewall drops what {peers} sends to it",
                evidence=f"{peer.name}: "
                + ", ".join(f"{path}: {seen} answers came in, 0 reached kingd" for path, seen in paths),
                remedy=allow(facts.local.firewall, facts.port),
                peers=(peer.name,),
            )


def dropped_paths(facts: Facts, peer: Peer) -> list[tuple[str, int]]:
    """By which paths its answers were seen on the wire, and how many, though none got through."""
    if facts.local.seen is None:
        return []
    at = (peer.host, peer.port)
    found = [(path, count) for (host, port, path), count in facts.local.seen.answers.items() if (host, port) == at]
    got = {path: cell.got for (_, path, direction), cell in peer.cells.items() if direction == BACK}
    return sorted((path, count) for path, count in found if count >= ENOUGH and not got.get(path))


def _wrong_way_back(facts: Facts) -> Iterator[Finding]:
    strict = [each for each in facts.local.interfaces if each.rp_filter == 1]
    if facts.local.rp_drops < ENOUGH or not strict:
        return
    elsewhere = [
        (peer, facts.local.routes[peer.host])
        for peer in facts.peers
        if facts.local.routes.get(peer.host, "") not in ("", _heard_by(peer))
    ]
    interface = (_heard_by(elsewhere[0][0]) if elsewhere else "") or strict[0].name
    way = f"; the route to {elsewhere[0][0].host} is by {elsewhere[0][1]}" if elsewhere else ""
    yield Finding(
        code="rp-filter",
        what=f"the kernel drops what arrives on {interface}: it would answer by another interface (rp_filter)",
        evidence=f"{facts.local.rp_drops} packets dropped meanwhile; rp_filter is strict on "
        f"{', '.join(each.name for each in strict)}{way}",
        remedy=f"sysctl -w net.ipv4.conf.{interface}.rp_filter=2 net.ipv4.conf.all.rp_filter=2",
        interface=interface,
    )


def _heard_by(peer: Peer) -> str:
    return peer.interfaces[0] if peer.interfaces else ""


def _late(facts: Facts) -> Iterator[Finding]:
    limit_ms = _STALL_HEARTBEATS * facts.heartbeat_ms
    late = [(facts.name, facts.lag_ms, "")] + [(peer.name, peer.lag_ms, peer.name) for peer in facts.peers]
    for name, lag_ms, where in late:
        if lag_ms > limit_ms:
            yield Finding(
                code="loop-stall",
                what=f"kingd on {name} ran too late: a leader that does so is replaced",
                evidence=f"{lag_ms} ms late at worst in the last minute; {limit_ms} ms is a stall",
                remedy="top -b -n 1 -o %CPU | head -20",
                where=where,
                peers=(where,) if where else (),
            )


def _clocks(facts: Facts) -> Iterator[Finding]:
    for step in facts.clock_steps:
        if step.ago_ms < _LONG_AGO_MS:
            is_step = step.kind == "clock-step"
            yield Finding(
                code=step.kind,
                what="the time of this host was set" if is_step else "this host was suspended",
                evidence=f"by {step.by_ms / 1000:+.1f} s, {step.ago_ms // 1000} s ago",
                remedy="timedatectl timesync-status" if is_step else "systemctl mask suspend.target",
                severity=Severity.NOTE,
            )


def _flood(facts: Facts) -> Iterator[Finding]:
    count = facts.rejected_lately.get("flood", 0)
    if count >= _FLOOD:
        yield Finding(
            code="flood",
            what="somebody sends more datagrams than this host looks at",
            evidence=f"{count} not looked at in the last minute",
            remedy=f"timeout 5 tcpdump -nq udp port {facts.port} | awk '{{print $3}}' | sort | uniq -c | sort -n",
        )
