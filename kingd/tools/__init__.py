"""`kingctl sniff` and `kingctl decode`: the Debian package kingd-tools. It needs scapy, so nothing else of kingd imports it."""
