"""`python -m kingd.vip`, and /usr/libexec/kingd/vip: floating addresses that follow leadership. docs/vip.md."""

import sys

from kingd.daemon.lean import be_lean


def main() -> int:
    be_lean()  # before the imports that would bring it in
    from kingd.vip.main import run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
