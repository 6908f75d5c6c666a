"""The command `kingd`, and `python -m kingd`: the guardian, then the daemon."""

import gc
import sys

from kingd.daemon.lean import be_lean
from kingd.output import occupy_closed_streams


def main() -> None:
    gc.disable()  # a start makes much and throws nothing away; see Runtime.run
    occupy_closed_streams()  # before the guardian's pipe takes the number of one
    be_lean()
    from kingd.daemon.guardian import Guardian

    guardian = None
    try:
        guardian = Guardian.fork()  # before the imports of the daemon: what it never had it does not keep in memory
    except OSError as error:
        sys.stderr.write(f"kingd: the guardian process could not be started: {error.strerror}\n")
    from kingd.daemon.main import main as daemon

    daemon(sys.argv[1:], guardian=guardian)


if __name__ == "__main__":
    main()
