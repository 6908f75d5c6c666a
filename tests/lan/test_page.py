"""The status page in a browser, while hosts fail over, are cut apart and stop: what it says, how it looks, who can use it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.browser import Page, browsing, program
from tests.conftest import require
from tests.lan.host import LIMIT_S, Host
from tests.lan.network import Lan

pytestmark = [pytest.mark.lan, pytest.mark.timeout(300)]
LOOKS = {
    f"{size}-{'dark' if dark else 'light'}": (width, height, dark)
    for size, width, height in (("desktop", 1280, 900), ("phone", 390, 844))
    for dark in (False, True)
}
PICTURES = os.environ.get("KINGD_PICTURES")  # a folder for them: docs/pictures has some
HEADLINE = "document.getElementById('title').textContent"
IS_STALE = "document.documentElement.classList.contains('stale')"


@contextmanager
def serving(host: Host) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """kingctl serve on that host, and its address there."""
    argv = [sys.executable, "-m", "kingd.cli", "--socket", str(host.socket), "serve", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(host.namespace.command(*argv), stderr=subprocess.PIPE, text=True) as child:
        try:
            assert child.stderr is not None
            yield child, child.stderr.readline().split()[-1]
        finally:
            child.send_signal(signal.SIGCONT)
            child.terminate()
            child.wait(LIMIT_S)


def judged(page: Page, name: str, *, looks: dict[str, tuple[int, int, bool]] = LOOKS) -> None:
    """It fits, and axe-core has nothing to say, however one looks at it."""
    for look, (width, height, dark) in looks.items():
        page.look(width=width, height=height, dark=dark)
        page.until(f"innerWidth === {width} && document.querySelector('#bars svg') !== null")
        assert page.run("document.documentElement.scrollWidth <= innerWidth"), (name, look)
        assert page.violations() == [], (name, look)
        if PICTURES:
            page.run("document.activeElement.blur()")
            page.picture(Path(PICTURES) / f"page-{name}-{look}.webp")
    page.look(width=1280, height=900, dark=False)


def test_page_through_a_failover_a_split_and_a_stop(lan: Lan, tmp_path: Path) -> None:
    require(program(), "a browser is needed (Debian: chromium-headless-shell)")
    hosts = lan.trio()
    c = hosts[2]
    with serving(c) as (child, url), browsing(tmp_path / "browser", before=tuple(c.namespace.command())) as page:
        page.look(width=1280, height=900, dark=False)
        page.open(url)
        _steady(page)
        _failover(page, hosts[0])
        _split(page, lan, hosts)
        _silence(page, child)
        _stop(page, c)
        assert page.said == []


def _steady(page: Page) -> None:
    page.until(f"{HEADLINE}.startsWith('a leads cluster default')")
    page.until("document.getElementById('verdict').textContent.includes('3 alive, and all of them follow')")
    page.press("Tab")
    assert page.run("document.activeElement.className") == "skip"
    page.press("Enter")
    assert page.until("location.hash") == "#members"
    judged(page, "steady", looks={"desktop-light": LOOKS["desktop-light"]})


def _failover(page: Page, a: Host) -> None:
    a.kill()
    page.until(f"{HEADLINE}.startsWith('b leads')")
    page.until("document.getElementById('said').textContent.startsWith('b leads')")  # to who cannot see it
    page.until("document.getElementById('passages').textContent.includes('its guardian says that it has died')")
    judged(page, "failover")
    a.start()
    page.until(f"{HEADLINE}.startsWith('a leads')")


def _split(page: Page, lan: Lan, hosts: tuple[Host, Host, Host]) -> None:
    a, b, c = hosts
    lan.split([a], [b, c])
    page.until(f"{HEADLINE}.startsWith('b leads')")
    lan.until_led_by("b", [b, c])
    lan.heal()
    page.run("document.querySelector('input[name=span]').click()")  # the last minute
    page.until("document.querySelectorAll('#bars .overlap').length === 1")
    page.until("document.getElementById('bars-said').textContent.includes('Hatched: two at one time')")
    page.until("document.getElementById('passages').textContent.includes('overlap-resolved')")
    judged(page, "split")


def _silence(page: Page, child: subprocess.Popen[str]) -> None:
    child.send_signal(signal.SIGSTOP)
    page.until(IS_STALE)
    assert page.until("document.title").startswith("(no data) ")
    assert page.run("document.getElementById('stale').textContent").startswith("No data since ")
    judged(page, "stale", looks={look: LOOKS[look] for look in ("desktop-light", "phone-dark")})
    child.send_signal(signal.SIGCONT)
    page.until(f"!({IS_STALE})")


def _stop(page: Page, c: Host) -> None:
    c.stop()
    page.until(f"{HEADLINE}.includes('kingd does not answer')")
    assert page.until(IS_STALE)
    assert "kingd is not running" in page.run("document.getElementById('stale').textContent")
    judged(page, "stopped", looks={"phone-light": LOOKS["phone-light"]})
    c.start()
    page.until(f"!({IS_STALE}) && {HEADLINE}.startsWith('a leads')")
