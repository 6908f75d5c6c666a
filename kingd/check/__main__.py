"""`python -m kingd.check`, and /usr/libexec/kingd/check: asks the configured command whether this host is fit to lead.
docs/fitness.md."""

import signal
import sys

from kingd.daemon.lean import be_lean

HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def main() -> int:
    signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)  # until they are
    be_lean()  # before the imports that would bring it in
    from kingd.check.main import run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
