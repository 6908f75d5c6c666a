"""A user without any rights on the booted host that leads, beside a unit of kingd-leader.target.

    python -m tests.system.local_attacker --minutes 10

Three hosts with the package elect; uid nobody does to the control socket all that it offers (tests/lan/socket_attack.py), as
a service of the user slice, while root asks by kingctl all the time. What must be: no change of leadership, each of root's
calls is answered, and the unit stays.
"""

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.lan.local_attacker import PROGRAM, Seen, root_asks
from tests.system import cluster, images, only_one
from tests.system.lab import Host, until

_LEADERSHIP = ("elected", "deposed", "leader-changed", "leader-lost", "overlap-resolved")
_AS_A_SERVICE = "systemd-run --quiet --unit=attacker --slice=user.slice"


def under_attack(hosts: list[Host], *, for_s: float) -> Seen:
    """What root sees of the leader, and all of leadership and the unit, in so many seconds of attack."""
    leader = only_one.runner(hosts)
    until(lambda: only_one.notes(leader.lab), "the unit to note that it has started")
    shutil.copy(PROGRAM, leader.lab.shared)
    seen, since_ns = Seen(), time.monotonic_ns()
    leader.run(f"{_AS_A_SERVICE} /usr/bin/python3 -I /shared/{PROGRAM.name} /run/kingd/control.sock")
    root_asks(lambda verb: leader.attempt(f"kingctl {verb}"), seen, for_s=for_s)
    leader.run("systemctl is-active attacker && systemctl stop attacker")
    seen.changes = [
        f"{host}: {event['event']} {event['reason']}"
        for host in hosts
        for event in host.history()
        if event["event"] in _LEADERSHIP and int(str(event["monotonic_ns"])) > since_ns
    ]
    seen.changes += [
        f"{note.host}: the unit: {note.what}" for note in only_one.notes(leader.lab) if note.at_ns > since_ns
    ]
    return seen


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--config", default="", help="TOML for all three, such as [quorum] voters")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "lab").mkdir()
        package = images.build_packages(folder)
        with cluster.installed(package, folder / "lab", config=arguments.config) as hosts:
            seen = under_attack(hosts, for_s=60 * arguments.minutes)
    sys.stdout.write(f"{seen}\n")
    return 1 if seen.failed or seen.changes else 0


if __name__ == "__main__":
    sys.exit(main())
