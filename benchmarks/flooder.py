"""`python -m benchmarks.flooder ADDRESS SECONDS [FILE PER_S]...`: so many datagrams a second of each file, from this namespace.

A file has one datagram a line, in hex; they are sent in turn. Prints how many it has sent of each.
"""

import socket
import sys
import time
from pathlib import Path

from tests.lan.capture import PORT

_TICK_S = 0.001


def main() -> None:
    address, seconds, *rest = sys.argv[1:]
    kinds = [
        ([bytes.fromhex(line) for line in Path(file).read_text(encoding="ascii").splitlines()], int(per_s))
        for file, per_s in zip(rest[::2], rest[1::2], strict=True)
    ]
    sent = [0] * len(kinds)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.connect((address, PORT))
        start_s = time.monotonic()
        while (passed_s := time.monotonic() - start_s) < float(seconds):
            for number, (datagrams, per_s) in enumerate(kinds):
                wanted = int(passed_s * per_s)
                for index in range(sent[number], wanted):
                    sender.send(datagrams[index % len(datagrams)])
                sent[number] = wanted
            time.sleep(_TICK_S)
    print(*sent)


if __name__ == "__main__":
    main()
