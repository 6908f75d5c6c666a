"""What kingd-vip says of the interfaces of its addresses."""

from kingd.acting.hold import NEVER_US
from kingd.vip.carriers import Carriers
from kingd.vip.floating import Link

SECOND = 1_000_000
GOOD = Link(2, b"abcdef", is_up=True, has_carrier=True)
PULLED = Link(2, b"abcdef", is_up=True, has_carrier=False)
DOWN = Link(2, b"abcdef", is_up=False, has_carrier=False)


def test_nothing_is_said_while_all_is_well() -> None:
    carriers = Carriers({"eth0"})
    assert carriers.turn({"eth0": GOOD}, now_us=1) is None
    assert carriers.next_us == NEVER_US


def test_v16_host_without_carrier_is_unfit_and_says_so_again_and_again() -> None:
    carriers = Carriers({"eth0", "eth1"})
    assert carriers.turn({"eth0": GOOD, "eth1": PULLED}, now_us=SECOND) == "eth1 has no carrier"
    assert carriers.turn({"eth0": GOOD, "eth1": PULLED}, now_us=SECOND + 1) is None
    assert carriers.turn({"eth0": GOOD, "eth1": PULLED}, now_us=carriers.next_us) == "eth1 has no carrier"
    assert carriers.turn({"eth0": GOOD, "eth1": DOWN}, now_us=2 * SECOND + 1) == "eth1 is down"


def test_v16_interface_or_port_that_comes_with_leadership_keeps_nobody_from_it() -> None:
    carriers = Carriers({"br0", "typo"})
    idle = Link(2, b"abcdef", is_up=True, has_carrier=False, is_bridge=True)
    assert carriers.turn({"br0": idle}, now_us=SECOND) is None
    down = Link(2, b"abcdef", is_up=False, has_carrier=False, is_bridge=True)
    assert carriers.turn({"br0": down}, now_us=SECOND + 1) == "br0 is down"


def test_v16_carrier_that_comes_back_counts_when_it_stays() -> None:
    carriers = Carriers({"eth0"})
    carriers.turn({"eth0": PULLED}, now_us=10 * SECOND)
    said = [(at, carriers.turn({"eth0": GOOD}, now_us=at * SECOND // 2)) for at in range(21, 26)]
    assert said == [(21, None), (22, "eth0 has no carrier"), (23, None), (24, ""), (25, None)]
    assert carriers.next_us == NEVER_US
