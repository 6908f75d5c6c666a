"""What users are to be told at the end of this step. docs/protocol.md 6."""

from kingd.core.wire.message import Reason
from kingd.records import dataclass


@dataclass(slots=True)
class News:
    """Of the change under way, or of the last one."""

    why: Reason = Reason.JOINED  # its cause: goes into events and status
    overlap_ended: bool = False  # two leaders met and settled it

    def explain(self, why: Reason) -> None:
        self.why = why

    def end_overlap(self, ended: bool = True) -> None:
        self.overlap_ended = ended
