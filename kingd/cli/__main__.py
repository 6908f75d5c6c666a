"""`python -m kingd.cli` is kingctl."""

import sys

from kingd.cli.main import main

sys.exit(main())
