"""An event loop in a thread of its own, where investigations live beside cycles and requests."""

import asyncio
import contextlib
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")


class AgentLoop:
    """Runs coroutines for callers in other threads."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="agent-loop", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def submit(self, work: Coroutine[Any, Any, T]) -> "Future[T]":
        """Schedule a coroutine; the future may be waited for from any other thread."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def stop(self, timeout: float = 5.0) -> None:
        """Cancel what still runs and end the thread."""
        if not self._thread.is_alive():
            return
        # A task that ignores its cancellation dies with the process.
        with contextlib.suppress(TimeoutError):
            self.submit(self._cancel_all()).result(timeout)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            self._loop.close()

    @staticmethod
    async def _cancel_all() -> None:
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
