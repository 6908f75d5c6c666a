"""Faults that people have reported in public, of other software, as the doctor would have met them; none was used to write it.

What the report says is told in our words; the facts are what an examination finds there."""

from dataclasses import replace

import pytest

from kingd.doctor.diagnosis import diagnose
from kingd.doctor.facts import Cell, Facts, Interface, Neighbour, Peer, Seen, Stranger, Trouble
from kingd.doctor.finding import Severity
from tests.unit.situations import NET, cells, facts, here, peer, silent, view

BOX2, BOX3 = peer("box2", 2), peer("box3", 3)
NO_MULTICAST = {"mc4 both": 0, "mc6 both": 0}
MACS = here().neighbours


def everybody(lost: dict[str, int]) -> tuple[Peer, ...]:
    return peer("box2", 2, cells=cells(lost)), peer("box3", 3, cells=cells(lost))


def ended(after_s: int) -> dict[tuple[str, str, str], Cell]:
    """A soak of six minutes in which IPv4 multicast ended."""
    found = cells(sent=360)
    for direction in ("there", "back"):
        cell = Cell(
            sent=360, got=after_s, missed=360 - after_s, worked_ms=after_s * 1000, last_ms=1000 * (360 - after_s)
        )
        found[NET, "mc4", direction] = cell
    return found


# source -> what it tells, what an examination finds there, the code
REPORTS: dict[str, tuple[str, Facts, str]] = {
    "https://access.redhat.com/solutions/33447": (
        "The cluster forms and works for a few minutes; then messages are not delivered any more. A short test of multicast "
        "finds nothing.",
        facts(peer("box2", 2, cells=ended(255)), peer("box3", 3, cells=ended(255)), took_ms=360_000),
        "mc-ages-out",
    ),
    "https://pve.proxmox.com/wiki/Multicast_notes": (
        "A switch that snoops IGMP on a network without a querier delivers no multicast at all, while unicast answers.",
        facts(*everybody(NO_MULTICAST)),
        "mc-filtered",
    ),
    "https://github.com/ros2/ros2/issues/1319": (
        "One host by cable, one by Wi-Fi: they ping each other, and see nothing of each other by multicast; two on Wi-Fi do.",
        facts(peer("box2", 2, cells=cells(NO_MULTICAST)), BOX3),
        "mc-filtered",
    ),
    "https://github.com/ros2/ros2/issues/1616": (
        "The others discover this host, and it does not discover them: its network card filters multicast.",
        facts(*everybody({"mc4 back": 0, "mc6 back": 0, "bc4 back": 20})),
        "mc-filtered",
    ),
    "https://github.com/acassen/keepalived/issues/2642": (
        'Each send fails with "Operation not permitted", on all interfaces: one table accepts it, another one drops it.',
        facts(
            *everybody({"mc4 there": 0, "mc6 there": 0, "bc4 there": 0}),
            troubles=tuple(
                Trouble(kind=f"{what}-EPERM", text="a local firewall rule refuses it", interface=NET)
                for what in ("multicast", "broadcast")
            ),
        ),
        "fw-local-out",
    ),
    "https://github.com/weaveworks/weave/issues/3012": (
        "On the overlay small UDP packets arrive, and those of about the MTU never do; on the network below both do.",
        facts(*everybody({"large4 both": 0})),
        "mtu",
    ),
    "https://access.redhat.com/solutions/53031": (
        "A host with two network cards drops what arrives on the one if its answer would leave by the other.",
        facts(
            silent("box2", 2),
            BOX3,
            local=here(
                rp_drops=57,
                routes={"10.0.0.2": "eth1", "10.0.0.3": NET},
                interfaces=(Interface(name=NET, rp_filter=1), Interface(name="eth1", rp_filter=1)),
            ),
        ),
        "rp-filter",
    ),
    "https://github.com/coreos/fleet/issues/1346": (
        "Four hosts, of which each lists itself and one other: they were cloned, and have one id.",
        facts(
            BOX2,
            leader=None,
            views={"box1": None},
            troubles=(Trouble(kind="SharedId", text="another host uses this node's id", address="10.0.0.9:5466"),),
        ),
        "dup-id",
    ),
    "https://github.com/acassen/keepalived/issues/2459": (
        "After the switch the virtual address is still known by the MAC address of the machine that had it before.",
        facts(
            local=here(
                floating=("10.0.0.239",),
                neighbours={**MACS, "10.0.0.239": replace(MACS["10.0.0.3"], interface=NET)},
            )
        ),
        "vip-not-learned",
    ),
    "https://github.com/gnuton/asuswrt-merlin.ng/issues/988": (
        "With AP isolation on, clients at the ports of the router do not see each other; all reach the router.",
        facts(
            silent("box2", 2),
            silent("box3", 3),
            leader="box1",
            local=here(
                neighbours={
                    **MACS,
                    **{
                        f"10.0.0.{n}": Neighbour(mac="00:00:00:00:00:00", is_complete=False, interface=NET)
                        for n in (2, 3)
                    },
                }
            ),
        ),
        "wifi-isolation",
    ),
    "https://github.com/hashicorp/memberlist/pull/37": (
        "One node drops all UDP that comes in (a rule of its own) and still sends; it is said to be dead and alive in turn.",
        facts(
            silent("box2", 2, heard_ms=300, contact_ms=9_000),
            peer("box3", 3, views={f"{2:016x}": view(contact_ms=9_000)}),
        ),
        "fw-remote",
    ),
    "https://github.com/netbirdio/netbird/issues/1655": (
        "A firewall lets one host speak to the other and not the other way round; each speaks to others.",
        facts(silent("box2", 2, heard_ms=200, contact_ms=None), peer("box3", 3, views={f"{2:016x}": view()})),
        "one-way",
    ),
    "https://github.com/ansible-middleware/wildfly/issues/156": (
        "The ports are open in firewalld, and the hosts do not find each other: its rules do not let multicast in.",
        facts(
            *everybody({"mc4 back": 0}),
            local=here(
                firewall="firewalld", seen=Seen(answers={("10.0.0.2", 5466, "mc4"): 19, ("10.0.0.3", 5466, "mc4"): 20})
            ),
        ),
        "fw-local-in",
    ),
    "https://manpages.ubuntu.com/manpages/xenial/en/man8/corosync-keygen.8.html": (
        'A node does not join, and the others log "Invalid digest": its key is not theirs.',
        facts(strangers=(Stranger(address="10.0.0.4:5466", why="bad-key"),)),
        "wrong-key",
    ),
}


@pytest.mark.parametrize("source", REPORTS)
def test_fault_of_a_public_report_is_named_and_nothing_else(source: str) -> None:
    told, of, code = REPORTS[source]
    assert told
    found = [each for each in diagnose(of) if each.severity is not Severity.NOTE]
    assert [each.code for each in found] == [code]


def test_there_are_enough_of_them() -> None:
    assert len(REPORTS) >= 12
    assert len({code for _, _, code in REPORTS.values()}) >= 10


def test_direction_is_told() -> None:
    """Of the report in which the others hear this host, and it does not hear them."""
    _, of, _ = REPORTS["https://github.com/ros2/ros2/issues/1616"]
    (found,) = [each for each in diagnose(of) if each.severity is Severity.FINDING]
    assert found.what == "multicast of box2 and box3 does not reach this host, and unicast does"
    assert found.where == ""
