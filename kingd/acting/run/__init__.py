"""`kingctl run`: a command that runs while this host leads, and not longer (docs/run.md)."""
