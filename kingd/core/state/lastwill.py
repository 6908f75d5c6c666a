"""The obituary that is left with the guardian: who gets it. docs/protocol.md 4.7."""

from kingd.core.wire.endpoint import Endpoint
from kingd.core.wire.message import Role
from kingd.records import dataclass


@dataclass(slots=True)
class LastWill:
    """As it was written last."""

    role: Role | None = None  # of this node then; None = it is to be looked at again
    # Does it go to the group, and to whom else.
    addressees: tuple[bool, tuple[Endpoint, ...]] | None = None

    def look_again(self) -> None:
        """Others may be next by now."""
        self.role = None

    def write(self, role: Role, addressees: tuple[bool, tuple[Endpoint, ...]]) -> bool:
        """Whether it says something new."""
        is_new = addressees != self.addressees
        self.role, self.addressees = role, addressees
        return is_new
