"""The event loop of a worker: asyncio's order, at a tenth of what the stock loop takes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Generator
from typing import Any, TypeVar

from pyodide.webloop import PyodideFuture, PyodideTask, WebLoop

from remotemedia_wasm.host import PageHost
from remotemedia_wasm.scheduler import BUDGET_S, LoopStatistics, Scheduler

__all__ = ["BatchedLoop", "LoopStatistics", "install", "uninstall"]

T = TypeVar("T")


class BatchedLoop(Scheduler, WebLoop):  # type: ignore[misc]
    """Pyodide's loop with a queue of its own.

    The stock loop asks JavaScript for a call per callback: 25–31 µs for each switch of tasks. This
    one asks for a turn only when it is idle, or when it has used up its budget.

    `install` makes the running loop one of these, and puts no other in its place: a task and what
    it awaits must belong to one loop, and the task that calls `install`, as well as every future
    that Pyodide has made by then, belongs to that one.

    It differs from the stock loop where that differs from asyncio:

    * No timer is early: the stock loop runs what is due in up to 2 ms at once.
    * Timers that are due in the same µs keep their order; one may be due in the past, or never.
    * The exception of a task or future is reported when nobody can look at it any more, and not
      already when nobody has looked yet.
    * Factories of tasks get all options, and ``eager_start`` works.
    * What is in progress is tasks: a future is waited for by a task, or by JavaScript.

    A timer may be late by what the page's timeouts are late, which is whole milliseconds, and 4 ms
    or more while the page is in the background.

    `run_sync` works as in the stock loop in what the loop itself runs. It does not in what `enter`
    runs at once, because JavaScript waits there.
    """

    _host: PageHost

    def __init__(self, budget_s: float = BUDGET_S, *, suspendable: bool = True) -> None:
        WebLoop.__init__(self)
        self._adopt(budget_s, suspendable)

    def _adopt(self, budget_s: float, suspendable: bool) -> None:
        host = PageHost(self.on_message, self.on_timeout, self.on_suspended, suspendable)
        self._host = host
        Scheduler.__init__(
            self,
            post=host.post,
            set_timeout=host.set_timeout,
            clear_timeout=host.clear_timeout,
            now=time.monotonic,
            watch=host.watch if host.suspendable else None,
            budget_s=budget_s,
        )
        self._install_asyncgen_hooks()

    def create_future(self) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = PyodideFuture(loop=self)
        return future

    def create_task(
        self, coro: Coroutine[Any, Any, T] | Generator[Any, None, T], **options: Any
    ) -> asyncio.Task[T]:
        if self._task_factory is None:
            task: asyncio.Task[T] = PyodideTask(coro, loop=self, **options)
        else:
            task = self._task_factory(self, coro, **options)
        self._in_progress += 1
        task.add_done_callback(self._task_done)
        return task

    def _task_done(self, task: asyncio.Task[Any]) -> None:
        self._decrement_in_progress()

    def _stopped(self, error: SystemExit | KeyboardInterrupt) -> None:
        if isinstance(error, SystemExit) and self._system_exit_handler:
            self._system_exit_handler(error.code)
        elif isinstance(error, KeyboardInterrupt) and self._keyboard_interrupt_handler:
            self._keyboard_interrupt_handler()
        else:
            super()._stopped(error)

    def _release(self) -> None:
        """Become a stock loop, with what waits."""
        self._deadline = 0.0
        if self._timeout is not None:
            self._clear_timeout(self._timeout[1])
        self._host.close()
        ready = [*self._batch, *self._queue]
        timers = [timer for *_, timer in sorted(self._timers)]
        for waiting in (self._batch, self._queue, self._timers):
            waiting.clear()
        self.__class__ = WebLoop
        for handle in ready:
            self.call_soon(_run, handle)
        for timer in timers:
            # The stock loop takes no time in the past.
            self.call_later(max(0.0, timer.when() - self.time()), _run, timer)


def _run(handle: asyncio.Handle) -> None:
    if not handle.cancelled():
        handle._run()


def install(budget_s: float = BUDGET_S, *, suspendable: bool = True) -> BatchedLoop:
    """Make the running loop a `BatchedLoop`; it may be one already.

    Parameters
    ----------
    budget_s : float
        How long callbacks may be started before messages and timers of the page have their turn, s.
    suspendable : bool
        Let `run_sync` (and `time.sleep`, which uses it) suspend what the loop runs, where the
        browser can switch stacks. Without it, a turn begins one message sooner, and `time.sleep`
        blocks.

    Raises
    ------
    RuntimeError
        If the running loop is not Pyodide's own.
    """
    running: Any = asyncio.get_running_loop()
    if type(running) is WebLoop:
        running.__class__ = BatchedLoop
        running._adopt(budget_s, suspendable)
    if not isinstance(running, BatchedLoop):
        raise RuntimeError(f"the running loop is not Pyodide's own, but {running!r}")
    return running


def uninstall() -> None:
    """Make the running loop the stock one again; what waits in it is taken over."""
    running = asyncio.get_running_loop()
    if isinstance(running, BatchedLoop):
        running._release()
