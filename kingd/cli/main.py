"""kingctl: the way in.

`leader` and `is-leader` run in front of every cron job, so their plain forms are recognised here and answered
without click (27 ms). What this file does not recognise for certain it leaves to click, which then answers, or
explains the mistake: both ways end in kingd/cli/leader.py, so they cannot disagree about anything but the arguments
(tests/cli/test_fast_path.py)."""

from __future__ import annotations

import signal
import sys

from kingd.cli.exits import INTERRUPTED, SOFTWARE
from kingd.cli.leader import is_leader, leader
from kingd.control.target import DEFAULT_TIMEOUT_S, LOOK_S, is_instance, seconds, socket_path
from kingd.output import occupy_closed_streams, unwritten

_COMMON = ("--socket", "--instance", "--timeout")  # before and after the verb, each with a value
_FORMS = ("--json", "--address", "--term")


def main() -> int:
    # `kingctl watch | head -1` ends quietly, as other commands do.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    occupy_closed_streams()
    try:
        code = run(sys.argv[1:])
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except (OSError, UnicodeEncodeError) as error:
        return unwritten(error, program="kingctl")
    except Exception:  # Python would end with 1, which says that another node leads
        import traceback

        traceback.print_exc()
        return SOFTWARE
    return code


def run(argv: list[str]) -> int:
    code = run_plain(argv)
    if code is not None:
        return code
    from kingd.cli.app import run_click

    return run_click(argv)


def run_plain(argv: list[str]) -> int | None:
    """The exit code if this is a plain form of leader or is-leader; None = not for certain, nothing was done."""
    options: dict[str, str] = {}
    before = _take(argv, _COMMON, (), options)
    verb = argv[before] if before < len(argv) else ""
    rest = argv[before + 1 :]
    if verb == "leader":
        if _take(rest, (*_COMMON, "--tag"), _FORMS, options) < len(rest):
            return None
    elif verb != "is-leader" or _take(rest, _COMMON, ("-v", "--verbose"), options) < len(rest):
        return None
    return _answer(verb, options)


def _take(words: list[str], valued: tuple[str, ...], flags: tuple[str, ...], options: dict[str, str]) -> int:
    """Read options into `options`, and say how many words they took."""
    at = 0
    while at < len(words):
        name, equals, value = words[at].partition("=")
        if words[at] in flags:
            options[words[at]] = ""
        elif name not in valued:
            break
        elif equals:
            options[name] = value
        elif at + 1 < len(words) and not words[at + 1].startswith("-"):
            at += 1
            options[name] = words[at]
        else:
            break
        at += 1
    return at


def _answer(verb: str, options: dict[str, str]) -> int | None:
    forms = [name[2:] for name in (*_FORMS, "--tag") if name in options]
    instance = options.get("--instance")
    if len(forms) > 1 or (instance is not None and not is_instance(instance)):
        return None
    try:
        timeout_s = (seconds(options["--timeout"]) or LOOK_S) if "--timeout" in options else DEFAULT_TIMEOUT_S
    except ValueError:
        return None
    path = socket_path(options.get("--socket"), instance)
    if verb == "is-leader":
        return is_leader(path, timeout_s, verbose="-v" in options or "--verbose" in options)
    return leader(path, timeout_s, form=forms[0] if forms else "name", tag=options.get("--tag", ""))


if __name__ == "__main__":
    sys.exit(main())
