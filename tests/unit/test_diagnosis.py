"""From facts to findings: each code by its evidence, and none without. docs/doctor.md."""

from dataclasses import replace

import pytest

from kingd.doctor.codes import MEANINGS
from kingd.doctor.diagnosis import diagnose
from kingd.doctor.facts import ClockStep, Facts, Interface, Neighbour, Seen, Stranger, Trouble
from kingd.doctor.finding import Finding, Severity
from tests.unit.situations import GATEWAY, NET, cells, facts, here, peer, silent, view

BOX2, BOX3 = peer("box2", 2), peer("box3", 3)


def codes(of: Facts, *, notes: bool = False) -> list[str]:
    return [each.code for each in diagnose(of) if notes or each.severity is not Severity.NOTE]


def the(code: str, of: Facts) -> Finding:
    (found,) = [each for each in diagnose(of) if each.code == code]
    return found


def lost(**of: int) -> Facts:
    """On the way to and from box2: mc4_there=0 ..."""
    return facts(peer("box2", 2, cells=cells({key.replace("_", " "): got for key, got in of.items()})), BOX3)


def trouble(kind: str, *, interface: str = "", address: str = "", text: str = "said") -> Facts:
    return facts(troubles=(Trouble(kind=kind, text=text, interface=interface, address=address),))


ARP_DEAD = Neighbour(mac="00:00:00:00:00:00", is_complete=False, interface=NET)
GOOD = here().neighbours
CASES: dict[str, tuple[Facts, str]] = {
    # of the paths
    "multicast to it": (lost(mc4_there=0), "mc-filtered"),
    "multicast from it": (lost(mc4_back=0), "mc-filtered"),
    "multicast, IPv6 only": (lost(mc6_both=0), "mc-filtered"),
    "unicast both ways": (lost(uc4_both=0, large4_both=0), "uc-filtered"),
    "unicast to it": (lost(uc4_there=0, large4_there=0), "fw-remote"),
    "unicast from it": (lost(uc4_back=0, large4_back=0), "one-way"),
    "all of IPv6": (lost(mc6_both=0, uc6_both=0, large6_both=0), "ipv6-blocked"),
    "all of IPv4": (lost(mc4_both=0, bc4_both=0, uc4_both=0, large4_both=0), "ipv4-blocked"),
    "large ones": (lost(large4_there=0), "mtu"),
    "a third": (lost(uc4_there=13), "loss"),
    # of who does not answer
    "nobody listens": (facts(silent("box2", 2, refused=3), BOX3), "port-closed"),
    "prohibited": (facts(silent("box2", 2), BOX3, local=here(seen=Seen(prohibited={"10.0.0.2": 4}))), "fw-remote"),
    "it is heard, and nobody else reaches it": (facts(silent("box2", 2, heard_ms=50), BOX3), "fw-remote"),
    "it is heard, and others reach it": (
        facts(silent("box2", 2, heard_ms=50), peer("box3", 3, views={f"{2:016x}": view()})),
        "one-way",
    ),
    "others reach it": (facts(silent("box2", 2), peer("box3", 3, views={f"{2:016x}": view()})), "no-path"),
    "nobody hears it": (
        facts(silent("box2", 2), peer("box3", 3, views={f"{2:016x}": view(contact_ms=60_000)})),
        "peer-gone",
    ),
    "kept apart": (
        facts(
            silent("box2", 2),
            silent("box3", 3),
            local=here(neighbours={**GOOD, "10.0.0.2": ARP_DEAD, "10.0.0.3": ARP_DEAD}),
        ),
        "wifi-isolation",
    ),
    "it answers the election": (facts(silent("box2", 2, contact_ms=900), BOX3), "cannot-ask"),
    # of this host
    "no link": (facts(troubles=(Trouble(kind="NoLinks", text="no network"),)), "no-address"),
    "no carrier": (
        facts(
            troubles=(Trouble(kind="NoLinks", text="no network"),),
            local=here(interfaces=(Interface(name=NET, has_carrier=False),)),
        ),
        "no-carrier",
    ),
    "a name that is none": (trouble("choose-ENODEV", interface="eth7"), "no-interface"),
    "an interface without address": (trouble("choose-ENODEV", interface=NET), "no-address"),
    "nobody to greet": (trouble("find-ENODEV"), "no-multicast"),
    "sending refused": (trouble("unicast-EPERM", interface=NET), "fw-local-out"),
    "MTU here": (trouble("multicast-EMSGSIZE", interface=NET), "mtu"),
    "no route": (trouble("unicast-ENETUNREACH"), "network-error"),
    "port": (facts(address="10.0.0.1:40000", local=here(port_owner="dnsmasq")), "port-taken"),
    "dropped here": (
        facts(
            peer("box2", 2, cells=cells({"uc4 back": 0, "large4 back": 0})),
            BOX3,
            local=here(seen=Seen(answers={("10.0.0.2", 5466, "uc4"): 20})),
        ),
        "fw-local-in",
    ),
    "dropped here, all of it": (
        facts(silent("box2", 2), BOX3, local=here(seen=Seen(answers={("10.0.0.2", 5466, "uc4"): 5}))),
        "fw-local-in",
    ),
    "wrong way back": (
        facts(
            silent("box2", 2),
            BOX3,
            local=here(rp_drops=40, interfaces=(Interface(name=NET, rp_filter=1),), routes={"10.0.0.2": "eth1"}),
        ),
        "rp-filter",
    ),
    "late": (facts(lag_ms=900), "loop-stall"),
    "late there": (facts(peer("box2", 2, lag_ms=700), BOX3), "loop-stall"),
    "flood": (facts(rejected_lately={"flood": 40_000}), "flood"),
    "sick": (trouble("other", text="the disk is full"), "daemon-problem"),
    # of who is who
    "id": (trouble("SharedId", address="10.0.0.9:5466"), "dup-id"),
    "name": (trouble("SharedName"), "dup-name"),
    "state": (trouble("RolledBack"), "rolled-back"),
    "key": (facts(strangers=(Stranger(address="10.0.0.9:5466", why="bad-key"),)), "wrong-key"),
    "key, heard": (trouble("Unanswering-key", address="10.0.0.9:5466"), "wrong-key"),
    "cluster": (
        facts(silent("box2", 2), strangers=(Stranger(address="10.0.0.9:5466", why="other-cluster"),)),
        "other-cluster",
    ),
    "version": (facts(strangers=(Stranger(address="10.0.0.9:5466", why="version"),)), "version"),
    "mode": (facts(peer("box2", 2, voters="12345678"), BOX3), "mode-differs"),
    "lists": (
        facts(peer("box2", 2, voters="12345678"), peer("box3", 3, voters="87654321"), digest="87654321"),
        "voters-differ",
    ),
    "recovering": (trouble("Recovering"), "recovering"),
    # of the election
    "nobody leads": (facts(leader=None), "no-leader"),
    "two views": (facts(views={"box1": "box2", "box3": "box3"}), "views-differ"),
    "no majority": (facts(mode="quorum", quorum_ok=False, voters=("a", "b", "c"), missing=("a", "b")), "no-quorum"),
    "floating": (
        facts(
            local=here(
                floating=("10.0.0.100",),
                neighbours={**GOOD, "10.0.0.100": Neighbour(mac="02:00:00:00:00:03", is_complete=True, interface=NET)},
            )
        ),
        "vip-not-learned",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_code_is_named_with_numbers_and_a_command(case: str) -> None:
    of, code = CASES[case]
    found = the(code, of)
    assert found.severity is (Severity.UNKNOWN if code == "cannot-ask" else Severity.FINDING)
    assert found.what
    assert found.evidence
    assert found.remedy
    assert not [
        line for line in (found.what, found.evidence, found.remedy) if "\n" in line or "{" in line.replace("{print", "")
    ]


@pytest.mark.parametrize("case", [case for case in CASES if case not in ("cluster", "kept apart")])
def test_nothing_else_is_found_beside_it(case: str) -> None:
    of, code = CASES[case]
    beside = {"peer-gone"} if code in ("cluster", "no-carrier") else set()
    assert set(codes(of)) - beside == {code}


def test_healthy_host_has_none() -> None:
    assert codes(facts()) == []
    assert codes(facts(), notes=True) == ["single-path"]


def test_few_strangers_that_are_not_looked_at_keep_nobody_out() -> None:
    """Thirty hosts that start at once leave some."""
    assert codes(facts(rejected_lately={"flood": 18})) == []


def test_many_peers_of_one_fault_are_one_finding() -> None:
    many = [peer(f"box{n}", n, cells=cells({"mc4 there": 0})) for n in range(2, 32)]
    (found,) = [each for each in diagnose(facts(*many)) if each.severity is Severity.FINDING]
    assert len(found.peers) == 30
    assert "and 27 more like these" in found.evidence


def test_two_faults_are_two_findings() -> None:
    both = facts(peer("box2", 2, cells=cells({"mc4 there": 0})), silent("box3", 3, refused=2))
    assert set(codes(both)) == {"mc-filtered", "port-closed"}


def test_own_firewall_that_stops_multicast_does_not_hide_a_dead_peer() -> None:
    of = facts(
        peer("box2", 2, cells=cells({"mc4 there": 0})),
        silent("box3", 3),
        troubles=(Trouble(kind="multicast-EPERM", text="x", interface=NET),),
    )
    assert set(codes(of)) == {"fw-local-out", "peer-gone"}


def test_another_daemon_of_the_same_host_does_not_answer_for_a_dead_one() -> None:
    """As in a lab, where all have one address, and only the port tells who sent what came in."""
    lab = {n: f"127.0.0.1:{5465 + n}" for n in (2, 3)}
    of = facts(
        peer("box2", 2, address=lab[2]),
        silent("box3", 3, address=lab[3], refused=3),
        local=here(seen=Seen(answers={("127.0.0.1", 5467, "uc4"): 20})),
    )
    assert codes(of) == ["port-closed"]
    its_own = here(seen=Seen(answers={("127.0.0.1", 5468, "uc4"): 20}))
    assert codes(replace(of, local=its_own)) == ["fw-local-in"]


def test_what_was_hardly_tried_proves_nothing() -> None:
    assert codes(facts(peer("box2", 2, cells=cells({"mc4 there": (0, 2), "uc6 both": (0, 1)})), BOX3)) == []


def test_ways_that_a_host_does_not_have_are_not_missed() -> None:
    only4 = {place: cell for place, cell in cells().items() if place[1] in ("mc4", "uc4", "large4")}
    assert codes(facts(peer("box2", 2, cells=only4), BOX3)) == []


def test_multicast_that_ended_says_when() -> None:
    aged = cells({"mc4 there": (126, 360)}, sent=360)
    aged[NET, "mc4", "there"] = replace(aged[NET, "mc4", "there"], missed=234, worked_ms=126_000, last_ms=234_000)
    found = the("mc-ages-out", facts(peer("box2", 2, cells=aged), BOX3))
    assert "it worked for 126 s, and 234 in a row are missing since" in found.evidence
    assert codes(facts(peer("box2", 2, cells=aged), BOX3)) == ["mc-ages-out"]


@pytest.mark.parametrize(
    ("of", "note"),
    [
        (facts(has_key=False), "no-key"),
        (facts(voters=("a", "b"), mode="quorum"), "two-voters"),
        (facts(clock_steps=(ClockStep(kind="clock-step", by_ms=7200_000, ago_ms=60_000),)), "clock-step"),
        (facts(clock_steps=(ClockStep(kind="suspend", by_ms=90_000, ago_ms=60_000),)), "suspend"),
        (facts(strangers=(Stranger(address="10.0.0.9:5466", why="other-cluster"),)), "other-cluster"),
        (lost(bc4_both=0), "bc-filtered"),
    ],
)
def test_what_is_only_worth_knowing_is_a_note(of: Facts, note: str) -> None:
    assert codes(of) == []
    assert note in codes(of, notes=True)


def test_another_daemon_of_this_host_may_have_the_port() -> None:
    assert codes(facts(address="10.0.0.1:40000", local=here(port_owner="kingd"))) == []
    assert codes(facts(address="10.0.0.1:40000", local=here(port_owner=None))) == []


def test_without_a_gateway_nobody_is_said_to_be_kept_apart() -> None:
    neighbours = {"10.0.0.2": ARP_DEAD, "10.0.0.3": ARP_DEAD}
    of = facts(silent("box2", 2), silent("box3", 3), local=here(neighbours=neighbours, gateway=GATEWAY))
    assert set(codes(of)) == {"peer-gone"}


def test_firewalls_that_are_known_get_their_own_command() -> None:
    of = facts(
        troubles=(Trouble(kind="unicast-EPERM", text="x", interface=NET),),
        local=here(firewall="ufw"),
    )
    assert the("fw-local-out", of).remedy == "ufw allow 5466/udp"


def test_every_code_is_found_by_a_case() -> None:
    """But for those that kingctl itself says, and the notes of the case above."""
    notes = {"no-key", "two-voters", "clock-step", "suspend", "bc-filtered", "single-path"}
    others = {"not-running", "no-permission", "mc-ages-out"}
    assert {code for _, code in CASES.values()} | notes | others == set(MEANINGS)


def test_few_large_ones_that_are_lost_among_many_others_prove_nothing() -> None:
    """A third is lost: of five large ones that none comes is no wonder."""
    lossy = cells({"uc4 back": (9, 14), "large4 back": (0, 5)})
    assert {each.code for each in diagnose(facts(peer("box2", 2, cells=lossy)))} & {"loss", "mtu"} == {"loss"}
    lost = cells({"large4 back": (0, 5)})
    assert "mtu" in {each.code for each in diagnose(facts(peer("box2", 2, cells=lost)))}
