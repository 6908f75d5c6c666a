"""What this host wants of its node: whether it may lead, steps down, stops; and what its operator was told of that.

In: orders of the operator and of the driver (commands.py), and what came of them (transfer.py)."""

from kingd.core.state.pending import Inquiry
from kingd.core.timing import NEVER
from kingd.core.wire.message import Ineligible
from kingd.records import dataclass, field


@dataclass(slots=True)
class Orders:
    """The newest of each kind counts."""

    # Why it may not lead, each until when: by order of the operator or the driver, and after a step-down.
    unfit: dict[Ineligible, int] = field(default_factory=dict)
    told_unfit: Ineligible | None = None  # what users were told of that last
    offers: int = 0  # how often it was offered to others in vain, since this node may not lead
    offer_at_us: int = 0  # not again before
    drains: bool = False  # something here runs because this node leads, and is ended before a hand-over (draining)
    drain_told: bool = False  # what the driver was told last: whether to end it
    links: int = 0  # that are usable
    isolated_at_us: int = NEVER  # without any for so long it leads nobody
    started: bool = False  # users were told that it runs
    inquiry: Inquiry = field(default_factory=Inquiry)  # the survey under way
    stepping_down: bool = False  # users are to be told who took over
    abstain_for_us: int = 0  # of the step-down under way
    offered_keep_us: int = 0
    keeps_until_us: int = 0  # chosen by name: resigns to nobody who only outranks it, until then
    stopping: bool = False
    stop_at_us: int = NEVER  # when the driver may end the process
    stopped: bool = False  # goodbye was said: the driver ends the process

    def begin_abstaining(self, now_us: int) -> None:
        self.set_unfit(Ineligible.STEP_DOWN, now_us + self.abstain_for_us)

    def set_unfit(self, why: Ineligible, until_us: int) -> None:
        """0: not any more."""
        self.unfit.pop(why, None)
        if until_us:
            self.unfit[why] = until_us

    def unfit_at(self, now_us: int) -> Ineligible | None:
        """Of several reasons the first."""
        if self.stopping:
            return Ineligible.STOPPING
        if not self.unfit:  # as nearly always, and each step asks
            return None
        return min((why for why, until_us in self.unfit.items() if now_us < until_us), default=None)

    def tell_unfit(self, why: Ineligible | None) -> None:
        self.told_unfit = why

    def put_off_offering(self, until_us: int) -> None:
        self.offers += 1
        self.offer_at_us = until_us

    def offer_anew(self) -> None:
        self.offers = self.offer_at_us = 0

    def begin_keeping(self, now_us: int) -> None:
        self.keeps_until_us = now_us + self.offered_keep_us

    def isolate_at(self, at_us: int) -> None:
        self.isolated_at_us = at_us

    def end(self, now_us: int) -> None:
        """Nothing is left to be done before the process ends."""
        self.stop_at_us = now_us

    def ended(self) -> None:
        self.stop_at_us, self.stopped = NEVER, True
