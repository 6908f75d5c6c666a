"""What the command line of `kingd` says: command_line.py reads it, or command.py by click."""

from pathlib import Path
from typing import NamedTuple

DEFAULT_STATE = Path("/var/lib/kingd")


class Options(NamedTuple):
    """None and () = not given. What should be a number and is none is told with the other mistakes of the configuration."""

    config: Path | None = None
    instance: str | None = None
    cluster: str | None = None
    name: str | None = None
    priority: int | str | None = None
    interfaces: tuple[str, ...] = ()
    port: int | str | None = None
    state_dir: Path = DEFAULT_STATE
    socket: Path | None = None
    voters: tuple[str, ...] = ()
    log_level: str | None = None
    detach: bool = False
    pid_file: Path | None = None
    check_config: bool = False

    @property
    def overrides(self) -> dict[str, object]:
        """By key of the configuration."""
        return {
            "cluster": self.cluster,
            "name": self.name,
            "priority": self.priority,
            "network.interfaces": self.interfaces or None,
            "network.port": self.port,
            "control.socket": self.socket,
            "quorum.voters": self.voters or None,
            "log.level": self.log_level,
        }

    def placed(self) -> "Options":
        """The files of an instance are its own, where none are named."""
        if self.instance is None:
            return self
        state_dir = Path(f"/var/lib/kingd-{self.instance}") if self.state_dir == DEFAULT_STATE else self.state_dir
        return self._replace(
            config=self.config or Path(f"/etc/kingd/{self.instance}.toml"),
            state_dir=state_dir,
            socket=self.socket or Path(f"/run/kingd-{self.instance}/control.sock"),
        )

    def absolute(self) -> "Options":
        """From the folder that we are started in: a detached daemon leaves it, and reads the configuration again later."""
        return self._replace(
            config=self.config and self.config.absolute(),
            state_dir=self.state_dir.absolute(),
            socket=self.socket and self.socket.absolute(),
            pid_file=self.pid_file and self.pid_file.absolute(),
        )
