"""What is allowed and yet worth a word, for who checks a configuration. No daemon asks: it does not look for all this."""

from pathlib import Path

from kingd.config.commands import COMMAND_PATH
from kingd.config.keys import Config, Control


def remarks(config: Config) -> list[str]:
    """In sentences."""
    found = []
    if config.quorum.voters and config.name not in config.quorum.voters:
        found.append(
            f"this host is called {config.name}, which is not in quorum.voters ({', '.join(config.quorum.voters)}): it follows "
            "and may lead, but does not vote"
        )
    program, group = "".join(config.check.command[:1]), config.control.group
    if program and _is_missing(program):
        found.append(
            f"check.command: there is no program {program} here, so the check fails, and this host counts as not fit to lead"
        )
    if group != Control().group and _is_no_group(group):  # the default one is nobody's mistake
        found.append(
            f"control.group: there is no group {group} here, so only root and the daemon's own user may change things; "
            f"`addgroup --system {group}` makes it"
        )
    return found


def _is_missing(program: str) -> bool:
    """Where kingd-check looks for it. It does so as root: what this user may not look at may be there."""
    for folder in ["/"] if "/" in program else COMMAND_PATH.split(":"):
        try:
            Path(folder, program).stat()
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError:
            return False
        return False
    return True


def _is_no_group(name: str) -> bool:
    import grp

    try:
        return bool(name) and not grp.getgrnam(name)
    except KeyError:
        return True
