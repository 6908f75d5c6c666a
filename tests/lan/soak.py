"""`python -m tests.lan.soak`: two networks of three hosts for six minutes, and `kingctl doctor --for 6m` on each of them.

On the one nothing happens, and no doctor may find anything. On the other a switch forgets, after three quarters of the time,
who listens to IPv4 multicast, as one that snoops does where nobody asks: each doctor has to find that, and nothing else. As
root; exits 1 with what was wrong."""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from tests.lan.network import Lan
from tests.lan.patients import Diagnosis, Ward, doctor

_FORGETS_AFTER = 0.75
_AGED = "mc-ages-out"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.lan.soak", description=__doc__)
    parser.add_argument("--seconds", type=int, default=360, metavar="N", help="default: %(default)s")
    seconds: int = parser.parse_args().seconds
    if os.geteuid() != 0:
        print("Network namespaces need root.", file=sys.stderr)
        return 1
    with Lan() as quiet, Lan() as forgetful, ThreadPoolExecutor() as pool:
        healthy, ill = Ward(quiet), Ward(forgetful)
        for ward in (healthy, ill):
            ward.recover()
        examined = [
            (ward, pool.submit(doctor, host, f"--for={seconds}s", limit_s=seconds + 60.0))
            for ward in (healthy, ill)
            for host in ward.trio
        ]
        time.sleep(seconds * _FORGETS_AFTER)
        forgetful.drop("ip daddr 224.0.0.0/4")
        return max([_told("healthy", _of(healthy, examined), set()), _told("forgetful", _of(ill, examined), {_AGED})])


def _of(ward: Ward, examined: Sequence[tuple[Ward, Future[Diagnosis]]]) -> list[Diagnosis]:
    return [future.result() for each, future in examined if each is ward]


def _told(network: str, found: Sequence[Diagnosis], wanted: set[str]) -> int:
    wrong = 0
    for number, each in enumerate(found, 1):
        is_right = each.codes == wanted and each.exit_code == (1 if wanted else 0)
        wrong += not is_right
        print(f"{network} {number}: {'as it has to be' if is_right else 'WRONG'}, {each}".rstrip())
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
