"""`python -m tests.lan.vip_faults --count 1000`: kingd, its guardian and kingd-vip are killed or stopped, one or several of
them at once, on a host that is drawn each time. 4 s later no host that does not lead may have a floating address, and when
all run again exactly the leader has both. As root; exits 1 with what was wrong."""

import argparse
import os
import random
import signal
import sys
import time
from collections.abc import Sequence

from tests.lan.host import Host, until
from tests.lan.network import Lan
from tests.lan.vip import V4, V6, Vip, addresses, vips_on

_GONE_S = 4.0
_KINDS = ("kingd", "guardian", "kingd-vip")


def strike(host: Host, vip: Vip, kinds: Sequence[str], number: signal.Signals) -> None:
    guardian = host.guardian
    for kind in kinds:
        match kind:
            case "kingd":
                host.signal(number)
            case "guardian":
                os.kill(guardian, number)
            case _:
                vip.signal(number)
    if number is signal.SIGKILL:
        if "kingd" in kinds:
            host.exit_code()
        if "kingd-vip" in kinds:
            vip.exit_code()


def mend(host: Host, vip: Vip, kinds: Sequence[str], number: signal.Signals) -> None:
    """A daemon without its guardian ends by itself, or is ended here."""
    if number is signal.SIGSTOP:
        host.kill()
        vip.kill()
    if host.is_running and "guardian" in kinds:
        host.kill()
    if not host.is_running:
        host.start()
    if not vip.is_running:
        vip.start(is_ready=False)


def holders(hosts: Sequence[Host]) -> dict[str, int]:
    found = {host.name: len(addresses(host).keys() & {V4, V6}) for host in hosts}
    return {name: count for name, count in found.items() if count}


def leaders(hosts: Sequence[Host]) -> set[str]:
    return {host.name for host in hosts if host.is_running and host.role() == "leader"}


def strays(hosts: Sequence[Host], deaf: Host | None) -> set[str]:
    """Who has one and does not lead; `deaf`: who cannot be asked."""
    found = holders(hosts).keys()
    time.sleep(0.1)
    return found - leaders([host for host in hosts if host is not deaf])


def is_well(hosts: Sequence[Host]) -> bool:
    leading = leaders(hosts)
    return all(host.role() for host in hosts) and len(leading) == 1 and holders(hosts) == dict.fromkeys(leading, 2)


def run(lan: Lan, count: int, rng: random.Random) -> list[str]:
    """What was wrong."""
    hosts = lan.trio()
    with vips_on(hosts) as vips:
        for vip in vips:
            vip.start(is_ready=False)
        for number in range(count):
            until(lambda: is_well(hosts), limit_s=60, what=lambda: f"all to be well: {holders(hosts)}")
            led = [index for index, host in enumerate(hosts) if host.name in holders(hosts)]
            index = rng.choice([*led, *led, *range(3)])
            kinds = rng.sample(_KINDS, rng.randrange(1, 4))
            how = rng.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGSTOP])
            strike(hosts[index], vips[index], kinds, how)
            time.sleep(_GONE_S)
            deaf = hosts[index] if "kingd" in kinds and how is signal.SIGSTOP else None
            if (left := strays(hosts, deaf)) and (
                left := left & strays(hosts, deaf)
            ):  # twice: leadership may just move
                return [
                    f"{number}: {how.name} of {kinds} on {hosts[index].name}: still on {left}, {leaders(hosts)} leads"
                ]
            mend(hosts[index], vips[index], kinds, how)
            print(f"\r{number + 1}", end="", file=sys.stderr, flush=True)
    return []


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.lan.vip_faults")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with Lan() as lan:
        wrong = run(lan, options.count, random.Random(options.seed))
    print("\n".join(wrong) or f"{options.count} faults, seed {options.seed}: nothing was left")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
