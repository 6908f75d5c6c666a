"""A shell in which kingctl speaks to one daemon of the lab: what a remote console is to a node."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from kingd.cli.exits import say
from kingd.lab.node import Node


def attach(node: Node, command: list[str]) -> int:
    """Run a shell, or `command`, and return its exit code (never 255)."""
    environment = {**os.environ, "KINGCTL_SOCKET": node.socket, "KINGD_LAB_NODE": node.name, "PATH": _path()}
    argv = command or _shell(node, environment)
    if not command and sys.stdin.isatty():
        say(f"kingctl speaks to {node.name} in this shell; exit ends it")
    try:
        with subprocess.Popen(argv, env=environment) as child:
            # Ctrl-C is for what runs in the shell, not for us.
            before = signal.signal(signal.SIGINT, signal.SIG_IGN)
            try:
                code = child.wait()
            finally:
                signal.signal(signal.SIGINT, before)
    except FileNotFoundError:
        say(f"there is no command {argv[0]}")
        return 127
    return min(code, 254) if code >= 0 else 128 - code


def _shell(node: Node, environment: dict[str, str]) -> list[str]:
    shell = os.environ.get("SHELL") or "/bin/sh"
    prompt = f"({node.name}) "
    if not sys.stdin.isatty() or Path(shell).name != "bash":
        environment["PS1"] = prompt + "$ "
        return [shell]
    # bash takes its prompt from ~/.bashrc, so ours has to come after that.
    rc = node.folder / "bashrc"
    rc.write_text(f'[ -f ~/.bashrc ] && . ~/.bashrc\nPS1="{prompt}$PS1"\n')
    return [shell, "--rcfile", str(rc), "-i"]


def _path() -> str:
    """With the folder of our own kingctl first, if the shell would not find it (a .venv that is not activated)."""
    path = os.environ.get("PATH", os.defpath)
    ours = Path(sys.argv[0]).absolute().parent
    if (ours / "kingctl").exists() and shutil.which("kingctl", path=path) != str(ours / "kingctl"):
        return f"{ours}{os.pathsep}{path}"
    return path
