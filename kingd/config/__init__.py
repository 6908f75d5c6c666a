"""TOML and command line in, one frozen `Config` out; every rule about keys is checked here, once.

`kinds` says how a value is read, `keys` is the table of all keys, `reading` goes through the files, `toml_file` reads
one. All mistakes are found in one go and raised as one `ConfigError`, a sentence each. Nothing here knows whether an
interface exists or a port is free; only `remarks`, for who checks a configuration, looks at the host."""

from kingd.config.keys import KEYS, PROFILES, Config, Key, Security, Timing, host_name
from kingd.config.kinds import Preempt, duration_text, duration_us
from kingd.config.reading import (
    COMMAND_LINE,
    DEFAULT_FILE,
    apply_live,
    changed_keys,
    load,
    needs_restart,
    source_of,
)
from kingd.config.remarks import remarks
from kingd.config.toml_file import ConfigError

__all__ = [
    "COMMAND_LINE",
    "DEFAULT_FILE",
    "KEYS",
    "PROFILES",
    "Config",
    "ConfigError",
    "Key",
    "Preempt",
    "Security",
    "Timing",
    "apply_live",
    "changed_keys",
    "duration_text",
    "duration_us",
    "host_name",
    "load",
    "needs_restart",
    "remarks",
    "source_of",
]
