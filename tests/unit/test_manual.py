"""Man pages, sample configuration, completion, units and firewall profiles say what the code does."""

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from docs.man import generate
from kingd import __version__
from kingd.cli.app import application
from kingd.config import KEYS, Config, changed_keys, load
from kingd.daemon.command import command as kingd
from kingd.daemon.refusals import MEANINGS

TOP = Path(__file__).parents[2]
PAGES = dict(generate.pages())
PROSE = {file.stem: file.read_text() for file in (TOP / "docs" / "man").glob("*.in")}


def commands(command: click.Command, path: str = "") -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            yield from commands(inner, f"{path} {name}".strip())


VERBS = dict(commands(application()))


def options(command: click.Command) -> set[str]:
    return {name for name, _ in explained(command)}


def explained(command: click.Command) -> set[tuple[str, str | None]]:
    """Each name of an option, and its help: one name may mean different things to different verbs."""
    return {(name, param.help) for param in command.params if isinstance(param, click.Option) for name in param.opts}


def plain(page: str) -> str:
    return page.replace("\\-", "-").replace("\\(dq", '"')


def test_every_verb_has_its_section_with_every_option() -> None:
    sections = dict(re.findall(r"^\.SS (.*)\n((?:(?!\.S[SH]).*\n)*)", plain(PAGES["kingctl.1"]), re.MULTILINE))
    for verb, command in VERBS.items():
        said = [text for title, text in sections.items() if f"{title} ".startswith(f"{verb} ")]
        own = explained(command) - explained(VERBS[""]) if verb else ()
        assert not [name for name, _ in own if f"\n.B {name}" not in said[0] and f", {name}" not in said[0]], verb


def test_json_of_every_verb_is_described() -> None:
    said = re.search(r"^\.SH JSON\n((?:(?!\.SH).*\n)*)", plain(PROSE["kingctl.1"]), re.MULTILINE)
    assert said is not None
    named = set(re.findall(r"^\.B \"?([a-z -]+?)\"?$", said[1], re.MULTILINE))
    methods = {method.lower() for method in re.findall(r"method (\w+)", plain(PAGES["kingctl.1"]))}
    verbs = {verb for verb, command in VERBS.items() if "--json" in options(command)}
    assert {verb for verb in verbs - named if verb.replace("-", "") not in methods} == set()


@pytest.mark.parametrize(("page", "command"), [("kingd.8", kingd), ("kingctl.1", application())])
def test_every_option_of_the_command_is_in_its_page(page: str, command: click.Command) -> None:
    assert not [name for name in options(command) if name not in plain(PAGES[page])]


def test_prose_names_no_verb_or_option_that_does_not_exist() -> None:
    known = {name for command in (*VERBS.values(), kingd) for name in options(command)} | {"--help"}
    foreign = {"--permanent", "--add-service", "--now"}  # of firewall-cmd and systemctl
    for text in map(plain, PROSE.values()):
        assert not set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text)) - known - foreign
        assert not set(re.findall(r"kingctl ([a-z][a-z-]+)", text)) - set(VERBS)
    for page in (TOP / "README.md", *TOP.glob("docs/*.md")):
        assert not set(re.findall(r"`kingctl ([a-z][a-z-]+)", page.read_text())) - set(VERBS), page


def test_quotes_surround_whole_arguments() -> None:
    """Within a word `man` prints a quote as it is, and the fonts alternate at other places than was meant."""
    for page, text in PAGES.items():
        for line in re.findall(r"^\.[BIRST]{1,2} .*", text, re.MULTILINE):
            assert re.fullmatch(r'\.\w+( +("[^"]*"|[^" ]+))+ *', line), f"{page}: {line}"


def test_every_key_is_in_its_page() -> None:
    page = plain(PAGES["kingd.toml.5"])
    assert not [key.path for key in KEYS.values() if key.doc not in page.replace("\\fB", "`").replace("\\fR", "`")]


def test_every_reason_for_a_refusal_is_explained_in_its_page() -> None:
    explained = re.search(r"^\.SH .REFUSED DATAGRAMS.\n((?:(?!\.SH).*\n)*)", plain(PAGES["kingctl.1"]), re.MULTILINE)
    assert explained is not None
    assert not [reason for reason in MEANINGS if f"\n.TP\n.B {reason}\n" not in explained[1]]


def test_key_is_made_by_the_same_command_wherever_that_is_told() -> None:
    """One page had `(0600)`, with which root's file is no use to the daemon, and another one made a file that was refused."""
    command = "kingctl keygen | install -m 0640 -o root -g kingd /dev/stdin /etc/kingd/cluster.key"
    for text in (PAGES["kingd.8"], PAGES["kingctl.1"], (TOP / "docs" / "security.md").read_text()):
        assert command in plain(text)
    assert "0600" not in (TOP / "docs" / "security.md").read_text()


def test_sample_shows_every_key_at_its_default(tmp_path: Path) -> None:
    sample = generate.sample()
    assert not [line for line in sample.splitlines() if len(line) > 120]
    (tmp_path / "kingd.toml").write_text(re.sub(r"^#(?! )", "", sample, flags=re.MULTILINE))
    shown = load(main=tmp_path / "kingd.toml", explicit=True, overrides={})
    assert changed_keys(Config(name="box1"), shown) == ["tags"]
    (tmp_path / "kingd.toml").write_text(sample)
    assert changed_keys(Config(), load(main=tmp_path / "kingd.toml", explicit=True, overrides={})) == []


def test_links_of_what_is_installed_lead_to_what_is_installed() -> None:
    """README.md and docs/*.md lie in /usr/share/doc/kingd as they do here, under their own names."""
    packaging = TOP / "packaging" / "debian"
    installed = {TOP / name for name in (packaging / "kingd.docs").read_text().split()} | set(TOP.glob("docs/*.md"))
    assert "docs/*.md usr/share/doc/kingd/docs\n" in (packaging / "kingd.install").read_text()
    assert "dh_compress --exclude=.md\n" in (packaging / "rules").read_text()
    for page in installed:
        links = {link.partition("#")[0] for link in re.findall(r"\]\(([^):]+\.md[^):]*)\)", page.read_text())}
        assert {(page.parent / link).resolve() for link in links} <= installed, page


def test_package_has_the_version_of_the_code() -> None:
    first = (TOP / "packaging" / "debian" / "changelog").read_text().splitlines()[0]
    assert first.startswith(f"kingd ({__version__}) ")


def test_firewalls_open_the_default_port() -> None:
    port = Config().network.port
    assert f"ports={port}/udp\n" in (TOP / "packaging/firewall/ufw/kingd").read_text()
    assert f'<port protocol="udp" port="{port}"/>' in (TOP / "packaging/firewall/firewalld/kingd.xml").read_text()


def test_instances_run_as_the_default_daemon_does() -> None:
    def hardened(unit: str) -> list[str]:
        """What is said below the folders, without comments."""
        lines = (TOP / "systemd" / unit).read_text().splitlines()
        return [line for line in lines[lines.index("UMask=0077") :] if not line.startswith("#")]

    assert hardened("kingd@.service") == hardened("kingd.service")
