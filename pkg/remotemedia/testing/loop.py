"""The event loop of `VirtualClock`: asyncio's own, less sockets and threads, on virtual time."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import warnings
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context
from pathlib import PurePath
from types import FrameType
from typing import Any, TypeVar, TypeVarTuple

from remotemedia.clock import US_PER_SECOND
from remotemedia.errors import RemoteMediaError

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_ASYNCIO_FOLDER = PurePath(asyncio.__file__).parent


class DeadlockError(RemoteMediaError):
    """Every task waits, and nothing will ever wake one."""

    code = "deadlock"


class VirtualLoop(asyncio.BaseEventLoop):
    """An event loop that jumps to its next timer instead of waiting for it.

    Times are integer µs inside, and equal times keep their order: two runs are the same.

    Parameters
    ----------
    now : callable
        Gives the virtual time in µs.
    jump : callable
        Sets it.
    """

    # Owned by BaseEventLoop; named here because `_run_once` is replaced.
    _ready: deque[asyncio.Handle]
    _stopping: bool

    def __init__(self, now: Callable[[], int], jump: Callable[[int], None]) -> None:
        super().__init__()
        self._now = now
        self._jump = jump
        self._timers: list[tuple[int, int, asyncio.TimerHandle]] = []
        self._timer_number = itertools.count()
        self._idle_waiters: deque[asyncio.Future[None]] = deque()
        self._failed: list[asyncio.Task[Any]] = []
        self._fatal: BaseException | None = None
        self.limit_us: int | None = None
        self.unseen: list[Exception] = []

    def __del__(self) -> None:
        """Say nothing: a loop without sockets and threads need not be closed."""

    def time(self) -> float:
        return self._now() / US_PER_SECOND

    def call_at(
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        return self._set_timer(round(when * US_PER_SECOND), callback, args, context)

    def call_at_us(self, due_us: int, callback: Callable[[], object]) -> asyncio.TimerHandle:
        """As `call_at`, in exact µs."""
        return self._set_timer(due_us, callback, (), None)

    def _set_timer(
        self,
        due_us: int,
        callback: Callable[[*Ts], object],
        args: tuple[*Ts],
        context: Context | None,
    ) -> asyncio.TimerHandle:
        timer = asyncio.TimerHandle(due_us / US_PER_SECOND, callback, args, self, context)
        heapq.heappush(self._timers, (due_us, next(self._timer_number), timer))
        return timer

    def due_us(self) -> list[int]:
        """When the timers that are set are due, µs, the next first."""
        return sorted(due_us for due_us, _, timer in self._timers if not timer.cancelled())

    def _run_once(self) -> None:
        """One turn: jump if nothing is ready, then run what is ready now, not what that adds."""
        if not self._ready and not self._stopping:
            self._wake_next()
        now_us = self._now()
        while self._timers and self._timers[0][0] <= now_us:
            self._ready.append(heapq.heappop(self._timers)[2])
        for _ in range(len(self._ready)):
            handle = self._ready.popleft()
            if not handle.cancelled():
                handle._run()
            if self._fatal is not None:
                fatal, self._fatal = self._fatal, None
                raise fatal

    def _write_to_self(self) -> None:
        """Nothing to wake: `call_soon_threadsafe` is only called from the loop's own thread."""

    def _wake_next(self) -> None:
        if self._idle_waiters:
            waiter = self._idle_waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
            return
        while self._timers and self._timers[0][2].cancelled():
            heapq.heappop(self._timers)
        if not self._timers:
            raise DeadlockError(f"every task waits and no timer is pending\n{self._describe()}")
        due_us = max(self._timers[0][0], self._now())
        if self.limit_us is not None and due_us > self.limit_us:
            raise DeadlockError(
                f"not done when {self.limit_us} µs of virtual time had passed; "
                f"something ticks, but the rest waits\n{self._describe()}"
            )
        self._jump(due_us)

    async def idle(self) -> None:
        """Wait until nothing is ready to run, without a jump in time."""
        waiter = self.create_future()
        self._idle_waiters.append(waiter)
        await waiter

    def create_task(
        self, coro: Coroutine[Any, Any, T] | Generator[Any, None, T], **options: Any
    ) -> asyncio.Task[T]:
        task = super().create_task(coro, **options)
        task.add_done_callback(self._on_task_done)
        return task

    def _on_task_done(self, task: asyncio.Task[Any]) -> None:
        if task.cancelled():
            return
        # `task.exception()` would count as having looked at it.
        error: BaseException | None = getattr(task, "_exception", None)
        if isinstance(error, Exception):
            self._failed.append(task)
        elif error is not None:
            # Such as a test's time-out, which must not wait for somebody to look.
            self._fatal = task.exception()

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Keep the error for `take_unseen` instead of logging it."""
        error = context.get("exception")
        message = context["message"]
        if self.is_closed():
            warnings.warn(f"{message}: {error!r}", RuntimeWarning, stacklevel=1)
        elif error is None:
            self.unseen.append(RuntimeError(message))
        elif isinstance(error, Exception):
            self.unseen.append(error)
        else:
            self._fatal = error

    def take_unseen(self) -> list[Exception]:
        """The errors of tasks and callbacks that nobody looked at; they count as seen now."""
        unseen, self.unseen = self.unseen, []
        for task in self._failed:
            if getattr(task, "_log_traceback", False):
                error = task.exception()
                if isinstance(error, Exception):
                    unseen.append(error)
        self._failed.clear()
        return unseen

    async def cancel_all(self) -> None:
        """Cancel every other task and wait for its end."""
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        if others:
            await asyncio.wait(others)

    def _describe(self) -> str:
        tasks = sorted(asyncio.all_tasks(self), key=asyncio.Task.get_name)
        return "\n".join(f"  {task.get_name()}: {where_waiting(task)}" for task in tasks)


def where_waiting(task: asyncio.Task[Any]) -> str:
    """``file.py:42 in pump, for Queue.get`` for a suspended task."""
    waits: object = task.get_coro()
    frame: FrameType | None = None
    names: list[str] = []
    while waits is not None:
        inner = _first(waits, "cr_frame", "gi_frame", "ag_frame")
        if isinstance(inner, FrameType):
            if frame is None or PurePath(inner.f_code.co_filename).parent != _ASYNCIO_FOLDER:
                frame, names = inner, []
            else:
                names.append(inner.f_code.co_qualname)
        waits = _first(waits, "cr_await", "gi_yieldfrom", "ag_await")
    if frame is None:
        return "in code that has no Python frame"
    place = f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_qualname}"
    return f"{place}, for {names[0]}" if names else place


def _first(value: object, *attributes: str) -> object:
    for name in attributes:
        found: object = getattr(value, name, None)
        if found is not None:
            return found
    return None
