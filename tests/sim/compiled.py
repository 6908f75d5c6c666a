"""`python -m tests.sim.compiled ARGUMENTS`: `python -m kingd.sim ARGUMENTS` with core and simulator compiled by mypyc.

For long runs: the same sources do the same (test_compiled.py compares digests), some three times as fast. The compiled
copies lie in build/compiled, and are made anew when a source has changed; nothing of them is installed or packaged. Needs
gcc and the headers of Python.

What mypyc cannot see through it leaves to the interpreter. So the copies differ from the sources in three things that change
nothing: a dataclass has its `__init__` written out, and no slots; a constant of a module is declared `Final`; and a member
of an enumeration is such a constant, looked up once and not at each use."""

import ast
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

TOP = Path(__file__).parents[2]
BUILD = TOP / "build"
_SOURCES = ("core/**/*.py", "sim/*.py")
_INTERPRETED = {
    *("__init__.py", "__main__.py", "hunt.py", "swarm.py"),  # run once a schedule; results travel between processes
    *(
        "bodies.py",
        "trial_bodies.py",
        "past_bodies.py",
        "reader.py",
        "codec.py",
        "layout.py",
        "repeats.py",
        "seal.py",
    ),  # structs and hashes, which are C already
    "outcome.py",  # exceptions, which mypyc cannot derive
}
_ENUMS = {"EventKind", "Mode", "Reason", "Role", "State"}
_SETUP = """
from mypyc.build import mypycify
from setuptools import setup
import sys
level, *paths = sys.argv[1:]
modules = mypycify(["--python-version=3.11", *paths], opt_level=level, debug_level="0")
setup(name="compiled", packages=[], ext_modules=modules, script_args=["--quiet", "build_ext", "--inplace"])
"""


def build(*, optimized: bool) -> Path:
    """Where the compiled `kingd` is to be imported from. Optimizing takes gcc three times as long."""
    build = BUILD / ("compiled" if optimized else "compiled-plainly")
    sources = [path for pattern in _SOURCES for path in sorted((TOP / "kingd").glob(pattern))]
    digest = hashlib.sha256(sys.version.encode())
    for path in [TOP / "kingd" / "__init__.py", Path(__file__), *sources]:
        digest.update(path.read_bytes())
    stamp = build / "stamp"
    if stamp.exists() and stamp.read_text() == digest.hexdigest():
        return build
    shutil.rmtree(build, ignore_errors=True)
    (build / "kingd").mkdir(parents=True)
    shutil.copy(TOP / "kingd" / "__init__.py", build / "kingd")
    compiled = []
    for path in sources:
        copy = build / path.relative_to(TOP)
        copy.parent.mkdir(parents=True, exist_ok=True)
        source = path.read_text().replace("from kingd.records import", "from dataclasses import")  # which mypyc knows
        if path.name in _INTERPRETED:
            copy.write_text(source)
        else:
            copy.write_text(translated(source))
            compiled.append(str(copy.relative_to(build)))
    command = [sys.executable, "-c", _SETUP, "2" if optimized else "0", *compiled]
    environment = {**os.environ, "CFLAGS": "-fno-semantic-interposition"}  # so that small functions can be inlined
    subprocess.run(command, cwd=build, check=True, stdout=sys.stderr, env=environment)
    stamp.write_text(digest.hexdigest())
    return build


def translated(source: str) -> str:
    members = _Members()
    tree = members.visit(ast.parse(source))
    tree.body = [made for statement in tree.body for made in _statement(statement, members.used)]
    tree.body[1:1] = ast.parse("from typing import Final").body  # behind the docstring
    return ast.unparse(ast.fix_missing_locations(tree))


class _Members(ast.NodeTransformer):
    """Members of enumerations become names of the module, but for those in patterns."""

    def __init__(self) -> None:
        self.used: set[tuple[str, str]] = set()

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        match node:
            case ast.Attribute(value=ast.Name(id=enum), attr=member) if enum in _ENUMS and member.isupper():
                self.used.add((enum, member))
                return ast.Name(f"_{enum}_{member}")
        self.generic_visit(node)
        return node

    def visit_MatchValue(self, node: ast.MatchValue) -> ast.MatchValue:
        return node


def _statement(node: ast.stmt, used: set[tuple[str, str]]) -> Iterator[ast.stmt]:
    """What is to stand instead of a statement of a module."""
    bound: set[str] = set()
    match node:
        case ast.ClassDef(name=name):
            _write_init_out(node)
            bound = {name}
        case ast.ImportFrom(names=names):
            bound = {alias.name for alias in names}
        case ast.Assign(targets=[ast.Name(id=name) as target], value=value) if name.isupper() and name != "_T":
            node = ast.AnnAssign(target, ast.Name("Final"), value, simple=1)
        case ast.AnnAssign(target=ast.Name(id=name)) if name.isupper():
            node.annotation = ast.Subscript(ast.Name("Final"), node.annotation)
    yield node
    for enum, member in sorted(used):
        if enum in bound:
            yield from ast.parse(f"_{enum}_{member}: Final = {enum}.{member}").body


def _write_init_out(node: ast.ClassDef) -> None:
    """Of a dataclass. Without it the `dataclasses` module makes one at run time, which is interpreted."""
    options = _dataclass_options(node)
    if options is None:
        return
    words = f"init=False, kw_only={'kw_only' in options}, unsafe_hash={'frozen' in options}"
    node.decorator_list = [ast.parse(f"dataclass({words})", mode="eval").body]
    parameters, body = ["self", *(["*"] if "kw_only" in options else [])], []
    for field in node.body:
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            parameter, statement = _field(field.target.id, ast.unparse(field.annotation), field.value)
            parameters += parameter
            body += statement
    if any(isinstance(each, ast.FunctionDef) and each.name == "__post_init__" for each in node.body):
        body.append("self.__post_init__()")
    if parameters != ["self", "*"]:
        init = f"def __init__({', '.join(parameters)}) -> None:\n " + "\n ".join(body or ["pass"])
        node.body += ast.parse(init).body


def _dataclass_options(node: ast.ClassDef) -> set[str] | None:
    match node.decorator_list:
        case [ast.Name(id="dataclass")]:
            return set()
        case [ast.Call(func=ast.Name(id="dataclass"), keywords=keywords)]:
            return {keyword.arg for keyword in keywords if keyword.arg}
        case _:
            return None


def _field(name: str, annotation: str, default: ast.expr | None) -> tuple[list[str], list[str]]:
    """Its parameter, and the statement that sets it."""
    match default:
        case None:
            return [f"{name}: {annotation}"], [f"self.{name} = {name}"]
        case ast.Call(func=ast.Name(id="field"), keywords=[ast.keyword(arg="default_factory", value=factory)]):
            made = f"({ast.unparse(factory)})() if {name} is None else {name}"
            return [f"{name}: {annotation} | None = None"], [f"self.{name} = {made}"]
        case ast.Call(func=ast.Name(id="field"), keywords=[ast.keyword(arg="init")]):
            return [], []
        case ast.Call(func=ast.Name(id="field"), keywords=[]):
            return [f"{name}: {annotation}"], [f"self.{name} = {name}"]
        case _:
            return [f"{name}: {annotation} = {ast.unparse(default)}"], [f"self.{name} = {name}"]


def main(arguments: list[str]) -> None:
    environment = {**os.environ, "PYTHONPATH": str(build(optimized=True))}
    os.execve(sys.executable, [sys.executable, "-P", "-m", "kingd.sim", *arguments], environment)


if __name__ == "__main__":
    main(sys.argv[1:])
