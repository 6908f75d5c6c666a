"""What promises of voters prove. Names and times go in, an answer comes out; nothing here knows a node (as etcd raft's
quorum/majority.go). docs/quorum.md 1, 3."""

from collections.abc import Collection, Mapping


def majority(voters: int) -> int:
    """How many of so many are one."""
    return voters // 2 + 1


def has_won(voters: Collection[str], granted: set[str]) -> bool:
    """Whether those who granted are a majority. Who is no voter counts for nothing."""
    return len(granted.intersection(voters)) >= majority(len(voters))


def has_lost(voters: Collection[str], refused: set[str]) -> bool:
    """Whether the others can be a majority no more."""
    return len(voters) - len(refused.intersection(voters)) < majority(len(voters))


def proven_until_us(voters: Collection[str], promised_us: Mapping[str, int]) -> int:
    """Until when a majority has promised, given until when each has. 0: too few have."""
    untils = sorted((promised_us[name] for name in voters if name in promised_us), reverse=True)
    need = majority(len(voters))
    return untils[need - 1] if len(untils) >= need else 0
