"""kingd: the hosts of a LAN agree on who leads, and every one of them can say so."""

__version__ = "0.1.0"
