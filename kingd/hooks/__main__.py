"""`python -m kingd.hooks`, and /usr/libexec/kingd/hooks: runs the hooks when leadership changes. docs/hooks.md."""

import signal
import sys

from kingd.daemon.lean import be_lean

HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def main() -> int:
    signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)  # until they are: what a former runner left open is closed first
    be_lean()  # before the imports that would bring it in
    from kingd.hooks.main import run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
