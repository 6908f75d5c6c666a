"""What the core wants durable: written off the loop, so that a disk that takes seconds costs no heartbeat, and until it is.

In: `Persist`. Out: a word to the core when it is on the disk, or that this node must not lead as long as it cannot be; and
a sentence for users meanwhile. It knows nothing of why something is to be kept."""

import random
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial

from kingd.core.effect import Effect, Persist
from kingd.core.election import Core
from kingd.core.timing import NEVER
from kingd.core.wire.endpoint import Endpoint
from kingd.core.wire.message import Ineligible, Term
from kingd.daemon.clock import now_us
from kingd.daemon.store import Store
from kingd.log import Logger
from kingd.loop import Loop

_log = Logger("kingd")

_RETRY_S = 5.0
_CHECK_EVERY_S = 2.0


class Durable:
    def __init__(
        self,
        store: Store,
        core: Core,
        loop: Loop,
        *,
        rng: random.Random,
        perform: Callable[[list[Effect]], object],
        on_problem: Callable[[], None],
    ) -> None:
        """`on_problem`: there is one, or another one, just now."""
        self._store = store
        self._core = core
        self._loop = loop
        self._rng = rng
        self._perform = perform
        self._on_problem = on_problem
        self._unwritable = "" if store.writable else "; ".join(store.warnings)
        self._unseen = ""
        self._is_unfit = False  # as the core was told
        self._wanted: deque[Persist] = deque()  # the first is being written

    def problems(self) -> list[str]:
        return [*filter(None, (self._unwritable, self._unseen, self._store.problem))]

    def begin(self) -> None:
        if self._unwritable:  # not the store's word: something may be on its way to the disk already
            self._set_unfit(True)
        self._loop.call_next(_CHECK_EVERY_S, self._look)

    def keep(self, wanted: Persist) -> None:
        """Where many hosts want it at one moment, and none needs it then, each does it at a moment of its own."""
        if wanted.spread_us:
            self._loop.call_later(self._rng.uniform(0, wanted.spread_us) / 1e6, partial(self._queue, wanted))
        else:
            self._queue(wanted)

    def _queue(self, wanted: Persist) -> None:
        """In the order in which it was wanted, for a list of voters has none of its own."""
        self._wanted.append(wanted)
        if len(self._wanted) == 1:
            self._write()

    def _write(self) -> None:
        wanted = self._wanted[0]
        save = partial(self._store.save, wanted.ceiling, wanted.term, wanted.hold_us, wanted.voters)
        self._loop.in_kept_thread(save, self._on_written)

    def _on_written(self, error: OSError | None) -> None:
        if error is not None:
            self._unwritable = (
                f"the state folder cannot be written ({error}): this node must not lead until it can; retrying"
            )
            self._on_problem()
            self._set_unfit(True)
            self._loop.call_later(_RETRY_S, self._write)
            return
        wanted = self._wanted.popleft()
        if self._wanted:
            self._write()
        self._unwritable = ""
        if self._is_unfit:
            self._set_unfit(False)
        self._perform(
            self._core.persisted(wanted.ceiling, hold_us=wanted.hold_us, in_force=wanted.voters, now_us=now_us())
        )

    def _set_unfit(self, on: bool) -> None:
        self._is_unfit = on
        until_us = NEVER if on else 0
        self._perform(self._core.set_unfit(Ineligible.STATE_NOT_WRITABLE, until_us=until_us, now_us=now_us()))

    def _look(self) -> None:
        """The folder may be removed under us. Nothing else would notice before the next term."""
        self._loop.in_kept_thread(self._store.is_removed, self._on_looked)

    def _on_looked(self, is_removed: bool | OSError) -> None:
        store = self._store
        self._unseen = ""
        if isinstance(is_removed, OSError):
            self._unseen = f"whether the state folder is still there cannot be seen ({is_removed}); retrying"
        elif is_removed and not self._wanted:
            self._queue(Persist(ceiling=Term(store.ceiling), term=Term(store.term), hold_us=store.hold_us))
        self._loop.call_next(_CHECK_EVERY_S, self._look)

    def end(self, members: Iterable[Endpoint]) -> None:
        """What this session leaves to the next one."""
        self._store.save_peers(members)
        left = self._core.lasting
        try:
            self._store.save(left.ceiling, left.term, left.hold_us)
        except OSError as error:
            _log.warning("the state folder could not be written at the end: %s", error)
