"""`python -m tests.scenarios` writes docs/scenarios.md: which tests pin which scenario, read off the tests' names.

A test carries the number of the scenario that it pins: `test_021_disruptive_follower`. The numbers are stable.
"""

import ast
import re
from pathlib import Path
from typing import NamedTuple

from kingd.explorer.scopes import SCOPES

TOP = Path(__file__).parents[2]
PAGE = TOP / "docs" / "scenarios.md"
TEST = re.compile(r"^(?:async )?def (test_(\d{3})_\w+)\(", re.MULTILINE)
# folder -> level; whatever else there is tests one piece
LEVELS = {"lan": "N", "model": "M", "scenarios": "S", "sim": "S"}


# number -> what happens, and why no test pins it yet ("" = one must)
SCENARIOS: dict[int, tuple[str, str]] = {
    1: ("leader_election", ""),
    2: ("leader_cycle", ""),
    3: ("vote_from_any_state", ""),
    4: ("dueling_candidates", ""),
    5: ("dueling_pre", ""),
    6: ("candidate_concede", ""),
    7: ("single_node", ""),
    8: ("old_messages", ""),
    9: ("recv_vote", ""),
    10: ("state_transition", ""),
    11: ("all_server_stepdown", ""),
    12: ("candidate_reset_by_heartbeat", ""),
    13: ("self_vote_after_loss", ""),
    14: ("stale_pre_verdict", ""),
    15: ("quorum_active", ""),
    16: ("quorum_lost", ""),
    17: ("superseding", ""),
    18: ("election_with_lease", ""),
    19: ("free_stuck_candidate", ""),
    20: ("non_voter_never_elected_by_itself", ""),
    21: ("disruptive_follower", ""),
    22: ("disruptive_follower_prevote", ""),
    23: ("transfer_to_up_to_date", ""),
    24: ("transfer_with_lease", ""),
    25: ("transfer_to_slow", ""),
    26: ("transfer_to_self_or_unknown", ""),
    27: ("transfer_timeout", ""),
    28: ("transfer_ignored_actions", ""),
    29: ("transfer_meets_claim", ""),
    30: ("transferee_removed", ""),
    31: ("transfer_back_or_second", ""),
    32: ("delayed_ticket", ""),
    33: ("smaller_term_completes", ""),
    34: ("split_prevote", ""),
    35: ("prevote_with_lease", ""),
    36: ("learner", ""),
    37: ("migration", ""),
    38: ("forget_leader", ""),
    39: ("timeouts_randomised", ""),
    40: ("one_round", ""),
    41: ("alive_replay_after_dead", ""),
    42: ("refute_false_death", ""),
    43: ("address_conflict", ""),
    44: ("awareness", ""),
    45: ("wrong_node", ""),
    46: ("keyring", ""),
    47: ("labels", ""),
    48: ("protocol_versions", ""),
    49: ("leave_then_late_alive", ""),
    50: ("rejoin_same_or_new_ip", ""),
    51: ("query_dedup_size", ""),
    52: ("parse_fuzz", ""),
    53: ("snapshot_restore", ""),
    54: ("dogpile", ""),
    55: ("netsplit_heal_2", ""),
    56: ("netsplit_heal_n", ""),
    57: ("incremental_and_late_join", ""),
    58: ("random_netsplits", ""),
    59: ("checklead_corner", ""),
    60: ("vrrp_backup_table", ""),
    61: ("vrrp_active_table", ""),
    62: ("skew", ""),
    63: ("preempt_delay_and_nopreempt", ""),
    64: ("shutdown_priority0", ""),
    65: ("hmac_vectors", ""),
    66: ("pause_flush", ""),
    67: ("not_scheduled", ""),
    68: ("abdicate", ""),
    69: ("one_way_matrix", ""),
    70: ("asymmetric_mesh", ""),
    71: ("quorum_loss_hub", ""),
    72: ("constrained_election", ""),
    73: ("chained", ""),
    74: ("raft_hub_livelock", ""),
    75: ("sigkill_will", ""),
    76: ("kill_cgroup", ""),
    77: ("will_export_rule", ""),
    78: ("fd_close_bug", ""),
    79: ("refused_but_alive", ""),
    80: ("icmp_limit", ""),
    81: ("power_off_two", ""),
    82: ("priority_change_mid_claim", ""),
    83: ("equal_priority_restart", ""),
    84: ("restart_inside_promise", ""),
    85: ("fsync_stall", ""),
    86: ("disk_full_or_ro", ""),
    87: ("clone_vm", ""),
    88: ("voters_change_one_or_two", ""),
    89: ("lease_config_change", ""),
    90: ("clock_drift", ""),
    91: ("suspend", ""),
    92: ("clock_regress", ""),
    93: ("mcast_ageout", ""),
    94: ("ucast_blocked", ""),
    95: ("renumber", ""),
    96: ("join_450", ""),
    97: ("survey_450", ""),
    98: ("steady_o1", ""),
    99: ("replay_all", ""),
    100: ("session_guess", ""),
    101: ("wrong_key_node", ""),
    102: ("term_poison", ""),
    103: ("merge_tokens", ""),
    104: ("mutual_drain", ""),
    105: ("orphan_ring", ""),
    106: ("mutants", ""),
    107: ("unfit_leader", ""),
    108: ("all_unfit", ""),
    109: ("maintenance", ""),
}

# Those that two candidates and a few voters can show: every order of their events is explored.
EXPLORED = {*range(1, 25), *range(26, 37), 38, 41, 42, 43, 45, 49, 53, 55, 59, 60, 61, 68, 71, 72, 77} | {
    82,
    83,
    84,
    88,
    89,
    90,
    100,
    102,
    103,
    104,
    106,
}

HEAD = """# Scenarios

Which test pins which scenario, and how: U = one piece alone, S = whole clusters on a virtual clock, N = real daemons
between network namespaces, M = every order of events of a small cluster (`make model`). Written by
`python -m tests.scenarios` from the names of the tests; do not edit.

| # | scenario | level | tests |
|---|---|---|---|
"""


EXHAUSTIVE = """
## Explored exhaustively

Which scopes (of `kingd/explorer/scopes.py`, or its own) a test at level M looks at: all that can happen in each
of them happens, in every order, and no invariant may break.

| # | scenario | scopes |
|---|---|---|
"""


class Pin(NamedTuple):
    level: str
    file: str
    test: str


def pins() -> dict[int, list[Pin]]:
    """scenario -> the tests that carry its number, in the order U, S, N, M."""
    found: dict[int, list[Pin]] = {}
    for path in sorted((TOP / "tests").rglob("test_*.py")):
        level = LEVELS.get(path.relative_to(TOP / "tests").parts[0], "U")
        for name, number in TEST.findall(path.read_text()):
            found.setdefault(int(number), []).append(Pin(level, path.relative_to(TOP).as_posix(), name))
    for tests in found.values():
        tests.sort(key=lambda pin: ("USNM".index(pin.level), pin.file, pin.test))
    return found


def page() -> str:
    pinned = pins()
    rows = "".join(_row(number, pinned.get(number, [])) for number in SCENARIOS)
    scopes = explored_in()
    explored = "".join(f"| {n} | {SCENARIOS[n][0]} | {', '.join(sorted(scopes[n]))} |\n" for n in sorted(scopes))
    return HEAD + rows + EXHAUSTIVE + explored


def explored_in() -> dict[int, set[str]]:
    """scenario -> the scopes that its tests explore, read off the tests' source."""
    found: dict[int, set[str]] = {}
    for path in sorted((TOP / "tests" / "model").glob("test_*.py")):
        defined: dict[str, ast.AST] = {}
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef):
                defined[node.name] = node
            elif isinstance(node, (ast.Assign, ast.AnnAssign)):
                target = node.targets[0] if isinstance(node, ast.Assign) else node.target
                defined[ast.unparse(target)] = node
        for name in defined:
            if re.match(r"test_\d{3}_", name):
                found.setdefault(int(name[5:8]), set()).update(_scopes(name, defined, set()))
    return found


def _scopes(name: str, defined: dict[str, ast.AST], seen: set[str]) -> set[str]:
    """Scopes that are named in this definition, or in what it refers to in the same file; and those that it makes."""
    seen.add(name)
    found: set[str] = set()
    nodes = list(ast.walk(defined[name]))
    others = {id(inner) for node in nodes for other in _no_scopes(node) for inner in ast.walk(other)}
    for node in nodes:
        if isinstance(node, ast.Constant) and node.value in SCOPES and id(node) not in others:
            found.add(f"{node.value}")
        elif isinstance(node, ast.Name) and node.id in defined and node.id not in seen:
            found |= _scopes(node.id, defined, seen)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "scope":
            found |= {ast.unparse(node.args[0]).removeprefix("f").strip("'\"")}
    return found


def _row(number: int, tests: list[Pin]) -> str:
    name, reason = SCENARIOS[number]
    levels = " ".join(level for level in "USNM" if any(pin.level == level for pin in tests))
    by_file: dict[str, list[str]] = {}
    for pin in tests:
        by_file.setdefault(pin.file, []).append(f"`{pin.test}`")
    cells = [f"[{file.removeprefix('tests/')}](../{file}): {', '.join(names)}" for file, names in by_file.items()]
    return f"| {number} | {name} | {levels or '-'} | {'; '.join(cells) or reason or 'MISSING'} |\n"


def _no_scopes(node: ast.AST) -> list[ast.expr]:
    """What may be spelled like a scope's name: a fault, something that happened, how a scope starts, what another carries."""
    if isinstance(node, ast.Call) and ast.unparse(node.func).rsplit(".")[-1] in ("Fault", "happened"):
        return [*node.args, *(keyword.value for keyword in node.keywords)]
    if isinstance(node, ast.keyword) and node.arg == "start":
        return [node.value]
    return [node.value] if isinstance(node, ast.Attribute) and node.attr in ("carries", "kind") else []


if __name__ == "__main__":
    PAGE.write_text(page())
