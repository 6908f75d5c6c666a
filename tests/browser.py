"""A headless Chromium, and what a person does with a page: by the DevTools protocol, over two pipes.

No driver and no library: the browser reads JSON from descriptor 3 and writes it to 4, each message ended by NUL
(--remote-debugging-pipe)."""

import base64
import importlib.util
import json
import os
import select
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which
from typing import Any

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage", "--hide-scrollbars"),
    *("--remote-debugging-pipe", "--force-color-profile=srgb"),
)
_LIMIT_S = 60.0


def program() -> str | None:
    return next((found for name in NAMES if (found := which(name))), None)


class Page:
    """One tab. `said`: what it wrote to its console, or failed to do."""

    def __init__(self, to: int, out: int) -> None:
        self._to, self._from = to, out
        self._number = 0
        self._buffer = b""
        self._session = ""
        self.said: list[str] = []
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._call(f"{domain}.enable")

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while (answer := self._read()).get("id") != self._number:
            self._note(answer)
        assert "error" not in answer, (method, answer["error"])
        result: dict[str, Any] = answer["result"]
        return result

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            assert select.select([self._from], [], [], _LIMIT_S)[0], "the browser says nothing"
            piece = os.read(self._from, 1 << 20)
            assert piece, "the browser has ended"
            self._buffer += piece
        line, _, self._buffer = self._buffer.partition(b"\0")
        found: dict[str, Any] = json.loads(line)
        return found

    def _note(self, event: dict[str, Any]) -> None:
        found, method = event.get("params", {}), event.get("method")
        if method == "Runtime.exceptionThrown":
            self.said.append(json.dumps(found["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled":
            self.said.append(f"{found['type']}: {found['args']}")
        elif method == "Log.entryAdded":
            self.said.append(f"{found['entry']['level']}: {found['entry']['text']}")

    def look(self, *, width: int, height: int, dark: bool) -> None:
        self._call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._call("Emulation.setEmulatedMedia", features=[scheme])

    def open(self, url: str) -> None:
        self._call("Page.navigate", url=url)
        # Until then the page before it answers, and its document is complete, too.
        until(
            lambda: self.run(f"location.href.startsWith({url!r}) && document.readyState === 'complete'"), f"{url} loads"
        )

    def run(self, expression: str) -> Any:
        """Its value, of a promise too."""
        answer = self._call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def until(self, expression: str, limit_s: float = _LIMIT_S) -> Any:
        return until(lambda: self.run(expression), f"{expression}; the page shows: {self.text()!r}", limit_s)

    def text(self) -> str:
        return str(self.run("document.body ? document.body.innerText : ''"))

    def press(self, key: str) -> None:
        for kind in ("keyDown", "keyUp"):
            self._call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=_KEYS[key])

    def picture(self, path: Path) -> None:
        """By the name's end: png, or webp, which is smaller."""
        answer = self._call("Page.captureScreenshot", format=path.suffix[1:], quality=60)
        path.write_bytes(base64.b64decode(answer["data"]))

    def violations(self) -> list[str]:
        """What axe-core finds: a line each."""
        if not self.run("typeof axe === 'object'"):
            self.run(_axe())
        found = self.run("axe.run().then(r => r.violations.map(v => [v.id, v.help, v.nodes.map(n => n.html)]))")
        return [f"{name}: {words}: {nodes}" for name, words, nodes in found]


_KEYS = {"Tab": 9, "Enter": 13, "ArrowRight": 39, " ": 32}


def _axe() -> str:
    spec = importlib.util.find_spec("axe_core_python")
    assert spec is not None
    assert spec.submodule_search_locations
    return (Path(spec.submodule_search_locations[0]) / "axe.min.js").read_text(encoding="utf-8")


def until(is_so: Callable[[], Any], what: str, limit_s: float = _LIMIT_S) -> Any:
    end_s = time.monotonic() + limit_s
    while not (found := is_so()):
        assert time.monotonic() < end_s, what
        time.sleep(0.1)
    return found


@contextmanager
def browsing(folder: Path, *, before: tuple[str, ...] = ()) -> Iterator[Page]:
    """`folder`: all that it writes. `before`: of its command, as a network namespace."""
    name = program()
    assert name is not None
    their_in, to = os.pipe()
    out, their_out = os.pipe()
    folder.mkdir(exist_ok=True)

    def as_three_and_four() -> None:  # in the child; above all others first, for one of them may be 3 or 4
        high_in, high_out = os.dup2(their_in, 63), os.dup2(their_out, 64)
        os.dup2(high_in, 3)
        os.dup2(high_out, 4)

    argv = [*before, name, *_FLAGS, f"--user-data-dir={folder}", "about:blank"]
    environment = os.environ | {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "XDG_CACHE_HOME": str(folder)}
    child = subprocess.Popen(
        argv,
        pass_fds=(3, 4),
        preexec_fn=as_three_and_four,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    os.close(their_in)
    os.close(their_out)
    try:
        yield Page(to, out)
    finally:
        os.close(to)  # it ends with it
        try:
            child.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, 9)
            child.wait(20)
        os.close(out)
