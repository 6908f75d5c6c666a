"""The import rules of docs/architecture.md, read from the source, so that imports inside functions count too."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(TOP).with_suffix("").parts).removesuffix(".__init__")


SOURCES = {module_name(path): path for path in sorted(TOP.glob("kingd/**/*.py"))}

# what goes in and out of the core
FACTS = ("kingd.core.effect", "kingd.core.settings", "kingd.core.timing")

# package -> what it may import of kingd; packages that are not named may import everything
MAY_IMPORT = {
    "kingd.core": ("kingd.core",),
    "kingd.core.wire": ("kingd.core.wire",),
    "kingd.core.state": ("kingd.core.wire", "kingd.core.state", *FACTS),
    "kingd.core.rules": ("kingd.core.wire", "kingd.core.state", "kingd.core.rules", *FACTS),
    "kingd.sim": ("kingd.core", "kingd.sim"),
    "kingd.explorer": ("kingd.core", "kingd.explorer"),
    "kingd.net": ("kingd.core.wire.endpoint", "kingd.net"),
}

# kept in the tree and out of the packages, see setup.cfg
NOT_INSTALLED = ("kingd.explorer", "kingd.sim")


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


def test_daemon_never_reaches_scapy() -> None:
    reached = {module: module for module in SOURCES if is_within(module, ("kingd.daemon",))}
    waiting = list(reached)
    while waiting:
        module = waiting.pop()
        for name in imports(module):
            assert not is_within(name, ("scapy",)), f"scapy is imported along {reached[module]}"
            if name in SOURCES and name not in reached:
                reached[name] = f"{reached[module]} -> {name}"
                waiting.append(name)


IMPORT_EACH_AFRESH = """
import importlib, sys
for module in sys.argv[1:]:
    for name in [name for name in sys.modules if name.partition(".")[0] == "kingd"]:
        del sys.modules[name]
    try:
        importlib.import_module(module)
    except ImportError as error:
        print(f"{module}: {error}")
"""


def test_every_module_can_be_imported_first() -> None:
    """A circular import shows only when its wrong end comes first; one process, because starting 50 takes seconds."""
    modules = [module for module in SOURCES if not module.endswith(".__main__")]
    command = [sys.executable, "-c", IMPORT_EACH_AFRESH, *modules]
    run = subprocess.run(command, cwd=TOP, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
