"""The commands that findings name. One each, and exact: who reads it at three in the morning copies it."""


def allow(firewall: str, port: int) -> str:
    """Let kingd through that host's firewall; where nobody says what manages it, see its rules first."""
    match firewall:
        case "ufw":
            return f"ufw allow {port}/udp"
        case "firewalld":
            return f"firewall-cmd --permanent --add-port={port}/udp && firewall-cmd --reload"
        case _:
            return f"nft list ruleset | grep -nE 'drop|reject|policy|{port}'"


def watch(interface: str, port: int, what: str = "multicast") -> str:
    """Does it arrive on the wire?"""
    return f"timeout 10 tcpdump -ni {interface} udp port {port} and {what}"
