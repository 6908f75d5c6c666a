"""What kingd-web.service answers, asked for on its own host, with what a host has."""

from tests.system.lab import Host

_ASK = """python3 -c "
import urllib.error, urllib.request
try:
    print(urllib.request.urlopen('http://{address}:9466/leader', timeout=10).status)
except urllib.error.URLError as error:
    print(getattr(error, 'code', 0))
"
"""


def code(host: Host, address: str = "127.0.0.1") -> int:
    """Of /leader; 0: nobody answers."""
    return int(host.run(_ASK.replace("{address}", address)))
