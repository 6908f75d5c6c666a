"""From TOML and command line to Config, and every sentence an operator may get instead."""

import ast
import re
from pathlib import Path

import pytest

from kingd.config import (
    KEYS,
    Config,
    ConfigError,
    Preempt,
    host_name,
    load,
)

TOP = Path(__file__).parents[2]


@pytest.fixture
def main(tmp_path: Path) -> Path:
    return tmp_path / "kingd.toml"


def read(file: Path, toml: str, **overrides: object) -> Config:
    file.write_text(toml)
    return load(main=file, explicit=True, overrides=overrides)


def problems(file: Path, toml: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        read(file, toml)
    assert str(caught.value) == "\n".join(caught.value.problems)
    return caught.value.problems


def test_no_configuration_at_all_gives_what_the_contract_promises(main: Path) -> None:
    config = load(main=main, explicit=False, overrides={})
    assert config == Config() == load(main=None, explicit=False, overrides={})
    assert (config.cluster, config.name, config.priority) == ("default", host_name(), 100)
    assert config.preempt == Preempt(enabled=True, wait_us=0)
    assert (config.network.port, config.network.group4, config.network.group6) == (5466, "239.255.54.66", "ff12::5466")
    assert (config.timing.heartbeat_us, config.timing.leader_timeout_us) == (100_000, 500_000)
    assert (config.control.socket, config.control.group) == (Path("/run/kingd/control.sock"), "kingd")


def test_exclusive_needs_a_list_of_voters(main: Path) -> None:
    assert read(main, '[target]\nexclusive = true\n[quorum]\nvoters = ["a"]').target.exclusive
    with pytest.raises(ConfigError, match=r"kingd.toml:2: target.exclusive = true needs quorum.voters"):
        read(main, "[target]\nexclusive = true")


def test_the_example_of_the_contract_is_the_default(main: Path) -> None:
    """All keys of INTERFACE.md 2 that this version has, as written there."""
    toml = """
        cluster = "default"
        priority = 100
        preempt = "always"
        [network]
        interfaces = []
        port = 5466
        group4 = "239.255.54.66"
        group6 = "ff12::5466"
        peers = []
        broadcast = true
        [timing]
        profile = "lan"
        heartbeat = "100ms"
        leader_timeout = "500ms"
        [quorum]
        voters = []
        [target]
        exclusive = false
        [hooks]
        dir = "/etc/kingd/hooks.d"
        timeout = "30s"
        [check]
        command = []
        interval = "5s"
        timeout = "2s"
        rise = 2
        fall = 3
        [security]
        key_file = ""
        mode = "auto"
        [control]
        socket = "/run/kingd/control.sock"
        group = "kingd"
        [tags]
        [log]
        level = "info"
        format = "auto"
    """
    assert read(main, toml) == Config()
    named = set(re.findall(r"(\w+) = ", toml)) | {"name", "tags"}
    assert named == {path.rpartition(".")[2] for path in KEYS}


def test_written_defaults_are_what_a_config_has_without_them(main: Path) -> None:
    """The table is what man page and --check-config show: its defaults must be TOML, and true."""
    overrides = {path: key.default for path, key in KEYS.items() if path not in ("name", "tags")}
    lines = [f"{path} = {default}" for path, default in overrides.items()]
    assert read(main, "\n".join(lines)) == Config()


def test_every_key_has_its_sentence() -> None:
    for key in KEYS.values():
        assert re.fullmatch(r"[^\n]{30,}\.", key.doc)
        assert key.kind.allowed


ACCEPTED: list[tuple[str, str, object]] = [
    ('cluster = "A.b_c-9"', "cluster", "A.b_c-9"),
    (f'cluster = "{"c" * 63}"', "cluster", "c" * 63),
    ('name = "box1.lan"', "name", "box1.lan"),
    ("priority = 0", "priority", 0),
    ("priority = 65535", "priority", 65535),
    ('preempt = "always"', "preempt", Preempt(enabled=True, wait_us=0)),
    ('preempt = "never"', "preempt", Preempt(enabled=False, wait_us=0)),
    ('preempt = "1.5m"', "preempt", Preempt(enabled=True, wait_us=90_000_000)),
    ('network.interfaces = ["eth0", "br-0.100@x"]', "network.interfaces", ("eth0", "br-0.100@x")),
    ("network.port = 1", "network.port", 1),
    ('network.group4 = "224.0.1.1"', "network.group4", "224.0.1.1"),
    ('network.group6 = "FF15:0::0:1"', "network.group6", "ff15::1"),
    (
        'network.peers = ["box", "box:1", "[fd00::1]:2", "fd00::1"]',
        "network.peers",
        ("box", "box:1", "[fd00::1]:2", "fd00::1"),
    ),
    ("network.broadcast = false", "network.broadcast", False),
    ('timing.heartbeat = "5ms"', "timing.heartbeat_us", 5_000),
    ('timing.leader_timeout = "1m"', "timing.leader_timeout_us", 60_000_000),
    ('security.mode = "off"', "security.mode", "off"),
    ('control.socket = "/tmp/s"', "control.socket", Path("/tmp/s")),
    (f'control.socket = "/{"s" * 106}"', "control.socket", Path("/" + "s" * 106)),
    ('control.group = ""', "control.group", ""),
    ('tags = {url = "http://bäx/", role = ""}', "tags", (("role", ""), ("url", "http://bäx/"))),
    ('tags."a.b" = "x"', "tags", (("a.b", "x"),)),
    ('log.level = "debug"', "log.level", "debug"),
    ('log.format = "json"', "log.format", "json"),
]


@pytest.mark.parametrize(("toml", "attribute", "expected"), ACCEPTED)
def test_value_is_accepted(main: Path, toml: str, attribute: str, expected: object) -> None:
    value: object = read(main, toml)
    for name in attribute.split("."):
        value = getattr(value, name)
    assert value == expected
    assert type(value) is type(expected) or isinstance(value, Path)


REFUSED = [
    'cluster = ""',
    f'cluster = "{"c" * 64}"',
    'cluster = "a b"',
    'cluster = "ä"',
    'cluster = "a\\n"',
    "cluster = 3",
    "cluster = {x = 1}",
    'name = "a/b"',
    'name = "-oProxyCommand=x"',
    'name = ".a"',
    'name = ""',
    'quorum.voters = ["-a"]',
    'tags.url = "-o"',
    "priority = -1",
    "priority = 65536",
    "priority = true",
    "priority = 1.0",
    'priority = "1"',
    "priority = 0x" + "f" * 5000,
    'preempt = "sometimes"',
    'preempt = "0s"',
    'preempt = "25h"',
    "preempt = true",
    'network.interfaces = "eth0"',
    'network.interfaces = [""]',
    'network.interfaces = ["sixteen-letters-"]',
    'network.interfaces = ["a/b"]',
    'network.interfaces = [".."]',
    'network.interfaces = ["eth0", "eth0"]',
    "network.interfaces = [1]",
    "network.port = 0",
    "network.port = 65536",
    "network.port = true",
    'network.group4 = "192.168.1.1"',
    'network.group4 = "240.0.0.1"',
    'network.group4 = "239.1"',
    'network.group4 = "ff12::1"',
    'network.group4 = "224.0.0.1\\u0000"',
    "network.group4 = 1",
    'network.group6 = "fe80::1"',
    'network.group6 = "ff12::1%eth0"',
    'network.group6 = "224.0.1.1"',
    'network.peers = ["a b"]',
    'network.peers = ["box:0"]',
    'network.peers = ["box:99999"]',
    'network.peers = [""]',
    "network.peers = [1]",
    f"network.peers = {[f'p{n}' for n in range(65)]}",
    "network.broadcast = 1",
    'timing.profile = "wan"',
    'timing.heartbeat = "4999us"',
    'timing.heartbeat = "10001ms"',
    'timing.heartbeat = "100"',
    "timing.heartbeat = 100",
    'timing.leader_timeout = "14ms"',
    'timing.leader_timeout = "61s"',
    'quorum.voters = ["a", "a"]',
    'quorum.voters = ["a b"]',
    "security.key_file = 1",
    'security.mode = "on"',
    'control.socket = ""',
    'control.socket = "/a\\u0000"',
    f'control.socket = "/{"s" * 107}"',
    'control.group = "a:b"',
    "tags.url = 1",
    f'tags.url = "{"ä" * 33}"',
    'tags.url = "a\\tb"',
    'tags.url = "\\u202e"',
    'log.level = "verbose"',
    'log.format = "xml"',
    'log.format = ["json"]',
]


@pytest.mark.parametrize("toml", REFUSED)
def test_value_is_refused_with_file_line_key_value_and_what_is_allowed(main: Path, toml: str) -> None:
    (problem,) = problems(main, toml)
    path = toml.partition(" ")[0]
    allowed = KEYS["tags" if path.startswith("tags.") else path].kind.allowed
    assert problem.startswith(f"{main}:1: {path} = ")
    assert f" is not allowed: it must be {allowed}" in problem
    assert problem.isprintable()


UNKNOWN = [
    ("priorty = 1", "priorty = 1 is not a key of kingd: did you mean priority?"),
    ('[timing]\nhartbeat = "1s"', 'timing.hartbeat = "1s" is not a key of kingd: did you mean timing.heartbeat?'),
    ('heartbeat = "1s"', 'heartbeat = "1s" is not a key of kingd: did you mean timing.heartbeat?'),
    ("[network]\npriority = 1", "network.priority = 1 is not a key of kingd: did you mean priority?"),
    ("[netwrok]\nport = 1", "[netwrok] is not a section of kingd: did you mean [network]?"),
    ('[timming]\nheartbeat = "1s"', "[timming] is not a section of kingd: did you mean [timing]?"),
    ("[TIMING]", "[TIMING] is not a section of kingd: did you mean [timing]?"),
    ("[ 'netwrok' ]", "[netwrok] is not a section of kingd: did you mean [network]?"),
    ("[zzz]", "[zzz] is not a section of kingd: there are [network], [timing], [quorum]"),
    ("[network.zzz]\nx = 1", "network.zzz = (a table) is not a key of kingd: did you mean [network]?"),
    ("zzz.x.y = 1", "[zzz] is not a section of kingd"),
    ("[log]\nzzz = 1", "log.zzz = 1 is not a key of kingd: there are log.level, log.format"),
    ("zzz = 1", "zzz = 1 is not a key of kingd: there are cluster, name, priority, preempt, [network]"),
    ("network = 1", "network = 1 is not allowed: it must be a table, [network]"),
    ("tags = 1", "tags = 1 is not allowed: it must be a table, [tags]"),
    ("[[log]]\nlevel = 1", "log = [(a table)] is not allowed: it must be a table, [log]"),
    ('tags."a b" = "x"', 'tags.a b = "x" is not allowed: a tag\'s name must be 1 to 32 of a-z A-Z 0-9 . _ -'),
    (f'tags.{"t" * 33} = "x"', "a tag's name must be 1 to 32 of a-z A-Z 0-9 . _ -"),
    ("tags.-t = 1", "a tag's name must be 1 to 32 of a-z A-Z 0-9 . _ -, and no . or - at the beginning"),
    ('"tags.url" = "x"', '"tags.url" = "x" is not a key of kingd'),
    ('"network.port" = 1', '"network.port" = 1 is not a key of kingd: did you mean network.port?'),
]


@pytest.mark.parametrize(("toml", "sentence"), UNKNOWN)
def test_unknown_key_is_refused(main: Path, toml: str, sentence: str) -> None:
    (problem,) = problems(main, f"# none\n{toml}")
    assert re.match(rf"{re.escape(str(main))}:[23]: ", problem)
    assert sentence in problem


def test_all_mistakes_are_told_at_once_with_their_lines(main: Path) -> None:
    found = problems(main, 'priority = -1\n[network]\nport = "x"\nprot = 1\n\n[log]\nlevel = 1\n')
    assert [problem.removeprefix(f"{main}:").partition(" = ")[0] for problem in found] == [
        "1: priority",
        "3: network.port",
        "4: network.prot",
        "7: log.level",
    ]


def test_mistake_that_a_later_file_would_hide_is_told_too(main: Path) -> None:
    (main.parent / "conf.d").mkdir()
    (main.parent / "conf.d/a.toml").write_text("priority = 5")
    assert len(problems(main, "priority = -1")) == 1


def test_ninth_tag_is_refused_and_drop_ins_add_tags(main: Path) -> None:
    folder = main.parent / "conf.d"
    folder.mkdir()
    (folder / "a.toml").write_text('[tags]\nt0 = "new"\nt7 = "x"')
    seven = "[tags]\n" + "".join(f't{n} = "x"\n' for n in range(7))
    assert read(main, seven).tags == (("t0", "new"), *((f"t{n}", "x") for n in range(1, 8)))
    (folder / "b.toml").write_text('[tags]\nt8 = "x"')
    (problem,) = problems(main, seven)
    assert problem == f'{folder}/b.toml:2: tags.t8 = "x" is not allowed: there may be at most 8 tags, and these are 9'


def test_every_key_is_read_by_what_it_steers() -> None:
    """A key that nothing reads is a promise that nothing keeps: [hooks] was one. Searched for is `network.port` for the key of
    that name, and `config.priority` for one above the sections."""
    trees = [ast.parse(file.read_text()) for file in (TOP / "kingd").rglob("*.py") if file.parent.name != "config"]
    read = {
        (getattr(node.value, "attr", getattr(node.value, "id", "")), node.attr)
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
    }
    unread = [key.path for key in KEYS.values() if (key.path.rpartition(".")[0] or "config", key.field) not in read]
    assert unread == ["timing.profile"]  # the preset of the two others
