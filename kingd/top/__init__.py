"""kingctl top: the cluster on a whole screen, live. docs/top.md has the page."""
