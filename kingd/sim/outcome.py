"""How a run may end, and the two ways in which it ends early by itself."""

from enum import IntEnum


class Outcome(IntEnum):
    """The exit code. (2 is for a command line that is wrong.)"""

    OK = 0
    CRASH = 1  # an exception in the core or in the simulator
    SAFETY = 3
    LIVENESS = 4


class SafetyError(AssertionError):
    """An invariant does not hold."""


class LivenessError(AssertionError):
    """The healed cluster did not get where it must."""
