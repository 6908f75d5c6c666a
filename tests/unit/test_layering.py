"""The import rules of docs/architecture.md, read from the source, so that imports inside functions count too."""

import ast
from collections.abc import Callable, Collection, Iterable, Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(TOP).with_suffix("").parts).removesuffix(".__init__")


SOURCES = {module_name(path): path for top in ("kingd", "benchmarks") for path in sorted(TOP.glob(f"{top}/**/*.py"))}

# what goes in and out of the core
FACTS = (
    "kingd.core.effect",
    "kingd.core.facts",
    "kingd.core.problems",
    "kingd.core.scale",
    "kingd.core.settings",
    "kingd.core.timing",
)
# what drives the core, or shows what it says, through its door
OUTSIDE = ("kingd.daemon", "kingd.control", "kingd.cli", "kingd.net", "kingd.lab", "kingd.client")
BEHIND_THE_DOOR = ("kingd.core.state", "kingd.core.rules")

# package -> what it may import of kingd; packages that are not named may import everything
MAY_IMPORT = {
    "kingd.core": ("kingd.core", "kingd.records"),
    "kingd.core.wire": ("kingd.core.wire", "kingd.records"),
    "kingd.core.state": ("kingd.core.wire", "kingd.core.state", "kingd.records", *FACTS),
    "kingd.core.rules": ("kingd.core.wire", "kingd.core.state", "kingd.core.rules", "kingd.records", *FACTS),
    "kingd.sim": ("kingd.core", "kingd.sim"),
    "kingd.explorer": ("kingd.core", "kingd.explorer"),
    "kingd.aside": ("kingd.core", "kingd.aside", "kingd.records"),
    "kingd.doctor": (
        "kingd.core",
        "kingd.aside",
        "kingd.doctor",
        "kingd.control.answer",
        "kingd.cli.text",
        "kingd.records",
    ),
    "kingd.recall": ("kingd.core", "kingd.aside", "kingd.recall", "kingd.records"),
    "kingd.net": ("kingd.core.wire.endpoint", "kingd.net", "kingd.loop", "kingd.records"),
    "kingd.acting": ("kingd.acting", "kingd.records", "kingd.control", "kingd.cli", "kingd.output", "kingd.scheduling"),
    "kingd.client": ("kingd.client", "kingd.control", "kingd.acting"),
}

# kept in the tree and out of the packages, see setup.cfg
NOT_INSTALLED = ("kingd.explorer", "kingd.sim", "benchmarks")


def is_within(name: str, packages: tuple[str, ...]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def imports(module: str) -> Iterator[str]:
    """Full names of the modules that `module` imports; `from kingd.core import codec` is kingd.core.wire.codec."""
    path = SOURCES[module]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = module.split(".")[: None if path.stem == "__init__" else -1]
            above = parents[: len(parents) - node.level + 1] if node.level else []
            origin = ".".join([*above, *filter(None, [node.module])])
            for alias in node.names:
                inner = f"{origin}.{alias.name}"
                yield inner if inner in SOURCES else origin


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_package_imports_only_what_the_architecture_allows(package: str) -> None:
    strays = [
        f"{module} imports {name}"
        for module in SOURCES
        if is_within(module, (package,))
        for name in imports(module)
        if is_within(name, ("kingd",)) and not is_within(name, MAY_IMPORT[package])
    ]
    assert not strays


def test_what_is_installed_imports_nothing_that_is_not() -> None:
    strays = [
        f"{module} imports {name}"
        for module in SOURCES
        if not is_within(module, NOT_INSTALLED)
        for name in imports(module)
        if is_within(name, NOT_INSTALLED)
    ]
    assert not strays


def test_nothing_outside_imports_what_is_behind_the_door_of_the_core() -> None:
    strays = [
        f"{module} imports {name}"
        for module in SOURCES
        if is_within(module, OUTSIDE)
        for name in imports(module)
        if is_within(name, BEHIND_THE_DOOR)
    ]
    assert not strays


def past_the_door(tree: ast.AST) -> list[int]:
    """Lines where `.node` of a core is read: of what is called so, or was given a name of its own."""
    aliases: set[str] = set()

    def is_core(value: ast.AST) -> bool:
        match value:
            case ast.Name(name):
                return name in {"core", "_core", *aliases}
            case ast.Attribute(attr=name):
                return name in ("core", "_core")
            case ast.Call(func=ast.Name("Core")):
                return True
            case _:
                return False

    for each in ast.walk(tree):
        if isinstance(each, ast.Assign):
            for target in each.targets:
                pairs = (
                    zip(target.elts, each.value.elts, strict=False)
                    if isinstance(target, ast.Tuple) and isinstance(each.value, ast.Tuple)
                    else [(target, each.value)]
                )
                aliases |= {name.id for name, value in pairs if isinstance(name, ast.Name) and is_core(value)}
    reads = [each for each in ast.walk(tree) if isinstance(each, ast.Attribute) and each.attr == "node"]
    return [each.lineno for each in reads if is_core(each.value)]


@pytest.mark.parametrize(
    ("source", "is_found"),
    [
        ("self._core.node.drop()", True),
        ("x = daemon.core.node", True),
        ("core.node", True),
        ("now, c = now_us(), self._daemon.core\nprint(c.node.role)", True),
        ("Core(settings).node", True),
        ("row.peer.node", False),
        ("core.id", False),
    ],
)
def test_reading_past_the_door_is_found(source: str, is_found: bool) -> None:
    assert bool(past_the_door(ast.parse(source))) is is_found


def test_nothing_outside_reads_the_node_of_a_core() -> None:
    outside = {module: path for module, path in SOURCES.items() if is_within(module, OUTSIDE)}
    assert [m for m, path in outside.items() if past_the_door(ast.parse(path.read_text()))] == []


def sentences_in(tree: ast.AST) -> list[str]:
    """Strings of three words and more that somebody may read: no docstrings, and no words about a mistake of ours."""
    ours = [each for each in ast.walk(tree) if isinstance(each, ast.Assert | ast.Raise)]
    docs = [each for each in ast.walk(tree) if isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant)]
    unread = {inner for each in (*ours, *docs) for inner in ast.walk(each)}
    return [
        each.value
        for each in ast.walk(tree)
        if isinstance(each, ast.Constant) and isinstance(each.value, str) and each.value.strip().count(" ") > 1
        if each not in unread
    ]


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("def f():\n  'what it does'\n  return f'{name} is called so'", [" is called so"]),
        ("assert x, 'one two three'", []),
        ("raise AssertionError('one two three')", []),
        ("word = 'state-not-writable'", []),
    ],
)
def test_sentences_are_found(source: str, found: list[str]) -> None:
    assert sentences_in(ast.parse(source)) == found


def test_election_returns_facts_and_no_sentences() -> None:
    """An operator's sentences are in `kingd.daemon.sentences`."""
    packages = (
        "kingd.core.rules",
        "kingd.core.state",
        "kingd.core.status",
        "kingd.core.election",
        "kingd.core.problems",
    )
    inside = {module: path for module, path in SOURCES.items() if is_within(module, packages)}
    assert {m: said for m, path in inside.items() if (said := sentences_in(ast.parse(path.read_text())))} == {}


def reached_from(package: str) -> dict[str, str]:
    """All that is imported along the way, with one of the ways."""
    reached = {module: module for module in SOURCES if is_within(module, (package,))}
    waiting = list(reached)
    while waiting:
        module = waiting.pop()
        for name in imports(module):
            if name not in reached:
                reached[name] = f"{reached[module]} -> {name}"
                waiting += [name] if name in SOURCES else []
    return reached


@pytest.mark.parametrize("foreign", ["scapy", "prometheus_client", "http", "kingd.web"])
def test_daemon_never_reaches_what_is_for_others(foreign: str) -> None:
    assert [way for name, way in reached_from("kingd.daemon").items() if is_within(name, (foreign,))] == []


def test_nothing_imports_the_tools_but_the_verbs_that_are_theirs() -> None:
    """They are another Debian package."""
    importers = {
        m
        for m in SOURCES
        if not is_within(m, ("kingd.tools",))
        for name in imports(m)
        if is_within(name, ("kingd.tools",))
    }
    assert importers == {"kingd.cli.tools"}


def cycle(sources: Collection[str], imported: Callable[[str], Iterable[str]]) -> list[str]:
    """One, from a module back to itself, if there is one."""
    graph = {module: {name for name in imported(module) if name in sources} - {module} for module in sources}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        found: list[str] = error.args[1]
        return found
    return []


@pytest.mark.parametrize(
    ("imported", "length"),
    [({"a": ["b"], "b": ["c"], "c": []}, 0), ({"a": ["b", "os"], "b": ["c"], "c": ["a"]}, 4), ({"a": ["a"]}, 0)],
)
def test_cycle_is_found(imported: dict[str, list[str]], length: int) -> None:
    assert len(cycle(imported, imported.__getitem__)) == length


def test_no_module_imports_itself_by_way_of_others() -> None:
    """Nor inside a function, where the import works: who reads either has to read both."""
    assert cycle(SOURCES, imports) == []
