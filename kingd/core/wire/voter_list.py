"""How datagrams name a list of voters, and which of two is newer. docs/quorum.md 8."""

from typing import NamedTuple


class Generation(NamedTuple):
    """Of a list of voters: the newer one is the larger one. Only a leader makes lists, one after the other, and no two lead
    in one term, so one generation is one list. (Schultz, Dardik, Tripakis: Logless Reconfiguration, OPODIS 2021.)"""

    term: int  # message.Term: of the leader that made it; 0: a host began with it
    number: int  # u16: how many it had made in that term before


NO_GENERATION = Generation(0, 0)
GENERATION_NUMBER_MAX = (1 << 16) - 1


class VoterList(NamedTuple):
    """Which list of voters a node has: votes count only between equal ones. docs/quorum.md 8."""

    digest: int  # u32 of the names; 0 = availability mode
    generation: Generation


NO_VOTERS = VoterList(0, NO_GENERATION)
