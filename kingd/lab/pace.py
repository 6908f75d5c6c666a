"""How fast daemons are born: each newcomer is work for all that are there, and a machine that is given more of that than it can
do has stalled leaders, elections, and ever more work.

In: how long each newcomer took to find its leader. Out: how many may be looking for it at a time. One more while they find it
soon, one less when one did not, half as many when one took long, as TCP finds the share of a link that is its own (RFC 5681
3.1): so a start takes what the machine has left, and no more. It knows no clock and no process."""

SOON_S = 0.15  # a round trip, and 50 ms of processor
LONG_S = 0.4  # close to the timeout by which a leader is judged
AT_ONCE_MAX = 4  # for each processor: more would hold up the leader for longer than its followers wait


class Pace:
    def __init__(self, processors: int) -> None:
        self.at_once = 2 * processors
        self._at_once_max = AT_ONCE_MAX * processors

    def found(self, took_s: float) -> None:
        """A newcomer has its leader."""
        if took_s < SOON_S:
            self.at_once = min(self.at_once + 1, self._at_once_max)
        elif took_s > LONG_S:
            self.at_once = max(self.at_once // 2, 1)
        else:
            self.at_once = max(self.at_once - 1, 1)
