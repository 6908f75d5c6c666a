"""One floating address on a clock of its own: docs/vip.md."""

from kingd.vip.floating import Act, Facts, Floating, Link, Present

MS, SECOND = 1_000, 1_000_000
UP = Link(2, b"\2\0\0\0\0\1", is_up=True, has_carrier=True)
DOWN = Link(2, UP.mac, is_up=False, has_carrier=False)
UNPLUGGED = Link(2, UP.mac, is_up=True, has_carrier=False)
OTHER_MAC = Link(2, b"\2\0\0\0\0\7", is_up=True, has_carrier=True)


class World:
    """The kernel does what it is told, and nothing expires."""

    def __init__(self, *, succeeds: bool = True, link: Link | None = UP, present: Present = Present.ABSENT) -> None:
        self.address = Floating()
        self.now_us = 0
        self.leadership: object = 1
        self.is_handing_over = False  # nobody else leads yet
        self.succeeds, self.link, self.present = succeeds, link, present
        if succeeds:
            self.address.announced(now_us=self.now_us)
        self.acts: list[tuple[float, Act]] = []

    def turn(self) -> list[Act]:
        facts = Facts(
            leadership=self.leadership,
            other_leads=self.leadership is None and not self.is_handing_over,
            succeeds=self.succeeds,
            link=self.link,
            present=self.present,
        )
        acts = self.address.turn(facts, now_us=self.now_us)
        assert self.address.next_us > self.now_us
        for act in acts:
            if act is Act.ADD:
                self.present = Present.OURS
            elif act is Act.REMOVE:
                self.present = Present.ABSENT
        self.acts += [(self.now_us / SECOND, act) for act in acts]
        return acts

    def run(self, seconds: float) -> None:
        end_us = self.now_us + int(seconds * SECOND)
        self.turn()
        while self.address.next_us <= end_us:
            self.now_us = self.address.next_us
            self.turn()
        self.now_us = end_us

    def at(self, act: Act) -> list[float]:
        return [at for at, what in self.acts if what is act]
