"""What a judge says."""

from dataclasses import dataclass
from enum import StrEnum

from kingd.doctor.codes import MEANINGS


class Severity(StrEnum):
    FINDING = "finding"
    UNKNOWN = "unknown"  # something could not be examined
    NOTE = "note"  # healthy, but


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """`remedy`: one command, to be run on `where` ("" = this host)."""

    code: str
    what: str
    evidence: str
    remedy: str
    where: str = ""
    severity: Severity = Severity.FINDING
    peers: tuple[str, ...] = ()
    interface: str = ""

    def __post_init__(self) -> None:
        assert self.code in MEANINGS, self.code

    def told(self) -> dict[str, object]:
        return {
            "code": self.code,
            "severity": str(self.severity),
            "what": self.what,
            "evidence": self.evidence,
            "remedy": self.remedy,
            "where": self.where or None,
            "peers": list(self.peers),
            "interface": self.interface or None,
        }
