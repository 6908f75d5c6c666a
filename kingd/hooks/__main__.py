"""`python -m kingd.hooks`, and /usr/libexec/kingd/hooks: runs the hooks when leadership changes. docs/hooks.md."""

import sys

from kingd.daemon.lean import be_lean


def main() -> int:
    be_lean()  # before the imports that would bring it in
    from kingd.hooks.main import run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
