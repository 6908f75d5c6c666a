"""What the daemon does beside answering: background work and what comes again and again. A mistake in it ends the process."""

import asyncio
from collections.abc import Callable


class Chores:
    def __init__(self, on_mistake: Callable[[BaseException], None]) -> None:
        self._on_mistake = on_mistake
        self._tasks: set[asyncio.Task[None]] = set()

    def spawn(self, work: "asyncio._CoroutineLike[None]") -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._on_done)

    def every(self, interval_s: float, work: Callable[[], None]) -> None:
        """Now, and again."""
        work()
        asyncio.get_running_loop().call_later(interval_s, self.every, interval_s, work)

    def end(self) -> None:
        for task in self._tasks:
            task.cancel()

    def _on_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._on_mistake(error)
