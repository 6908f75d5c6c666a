"""The cluster's keys: from a file or a systemd credential to the `Seal` that the codec uses.

A key file holds one key a line, 64 hex digits (`kingctl keygen` prints one), `#` begins a comment. The first signs,
all are believed: a key is rolled by adding the new one as second line everywhere, then moving it to the front
everywhere, then removing the old one, with a reload each time: CLUSTER KEY in kingd(8). Whatever is wrong with the file is a
`ConfigError` that holds the command which mends it: a daemon that was told to sign never runs unsigned."""

import codecs
import os
import stat
from collections.abc import Callable
from pathlib import Path

from kingd.config import ConfigError, Security
from kingd.core.wire.seal import KEY_SIZE, Seal

DEFAULT_FILE = Path("/etc/kingd/cluster.key")
_CREDENTIAL = "cluster.key"
_KEYS_MAX = 8
_FILE_SIZE_MAX = 64 << 10


def find(security: Security) -> Path | None:
    """The key file that is in force, or None."""
    if security.key_file is not None:
        return security.key_file
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    credential = [Path(folder) / _CREDENTIAL] if folder else []
    return next((file for file in [*credential, DEFAULT_FILE] if _is_there(file)), None)


def _is_there(file: Path) -> bool:
    """Also if it cannot be read, or is a link to nowhere: that is a mistake to be told, and no reason to run unsigned."""
    try:
        file.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def open_seal(security: Security, *, source: Callable[[], str] = lambda: "") -> Seal:
    """The seal that this configuration asks for. ConfigError: the key is missing, unsafe or malformed. `source`: where the
    mode was set (FILE:LINE), "" = nobody knows."""
    if security.mode == "off":
        return Seal()
    file = find(security)
    if file is None:
        if security.mode == "auto":
            return Seal()
        where = source()
        sentence = f'security.mode = "{security.mode}" needs a key, and there is none: {_how_to_make(DEFAULT_FILE)}'
        raise ConfigError([f"{where}: {sentence}" if where else sentence])
    return Seal(_read(file), requires_key=security.mode != "permissive")


def _read(file: Path) -> list[bytes]:
    try:
        with open(file, "rb", opener=_without_waiting) as stream:
            _check_access(file, os.fstat(stream.fileno()))
            data = stream.read(_FILE_SIZE_MAX + 1)
    except OSError as error:
        raise ConfigError(
            [f"{file}: the cluster key cannot be read ({error.strerror}): {_how_to_open(file, error)}"]
        ) from None
    if len(data) > _FILE_SIZE_MAX:
        raise ConfigError([f"{file}: is longer than {_FILE_SIZE_MAX} bytes, which no key file is"])
    return parse_keys(file, data)


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # a pipe would keep the daemon waiting


def _check_access(file: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise ConfigError([f"{file}: the cluster key must be a regular file"])
    if found.st_mode & (stat.S_IRWXO | stat.S_IWGRP):
        raise ConfigError(
            [
                f"{file}: others may read or change the cluster key (mode {stat.S_IMODE(found.st_mode):04o}): "
                f"{_how_to_close(file, found)}; if others were on this host, make a new key"
            ]
        )
    if found.st_uid not in (0, os.geteuid()):
        raise ConfigError([f"{file}: the cluster key belongs to uid {found.st_uid}: {_how_to_close(file, found)}"])


def _how_to_open(file: Path, error: OSError) -> str:
    """What makes it readable for this process, and for nobody else."""
    if isinstance(error, FileNotFoundError):
        return _how_to_make(file)
    if not isinstance(error, PermissionError):
        return "it must be a file that the daemon's user may read"
    closed = next((folder for folder in reversed(file.parents) if not os.access(folder, os.X_OK)), None)
    return f"`chmod o+x {closed}` opens the folder" if closed is not None else _how_to_close(file, None)


def _how_to_close(file: Path, found: os.stat_result | None) -> str:
    """Root's own file that only the daemon's group may read, or the daemon's own."""
    if found is not None and found.st_uid == os.geteuid():
        return f"`chmod 0600 {file}` mends it"
    return f"`chown root:{_group()} {file} && chmod 0640 {file}` mends it"


def _how_to_make(file: Path) -> str:
    put = f"install -m 0640 -o root -g {_group()}"
    return f"`kingctl keygen | {put} /dev/stdin {file}` makes one, and CLUSTER KEY in kingd(8) says how the other hosts get it"


def _group() -> str:
    """That of the daemon, by name if it has one."""
    import grp  # only who makes a mistake pays for it

    try:
        return grp.getgrgid(os.getegid()).gr_name
    except KeyError:
        return str(os.getegid())


def parse_keys(file: Path, data: bytes) -> list[bytes]:
    """The keys in a file of this content. ConfigError: what is none, and where."""
    keys = []
    text = data.removeprefix(codecs.BOM_UTF8).decode("ascii", errors="replace")
    for number, line in enumerate(text.splitlines(), 1):
        word = line.partition("#")[0].strip()
        if not word:
            continue
        try:
            key = bytes.fromhex(word)
        except ValueError:
            key = b""
        if len(key) != KEY_SIZE or len(word) != 2 * KEY_SIZE:
            raise ConfigError(
                [f"{file}:{number}: not a key: a line holds {2 * KEY_SIZE} hex digits, as `kingctl keygen` prints"]
            )
        if not any(key):
            raise ConfigError(
                [f"{file}:{number}: the key is all zeros, which everybody knows: `kingctl keygen` makes a good one"]
            )
        keys.append(key)
    if not 1 <= len(keys) <= _KEYS_MAX:
        raise ConfigError([f"{file}: holds {len(keys)} keys, 1 to {_KEYS_MAX} are allowed; the first one signs"])
    return list(dict.fromkeys(keys))
