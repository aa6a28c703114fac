"""Random asyncio programs, whose traces must be the same on every loop that keeps asyncio's order.

python programs.py FIRST LAST    # the traces of these seeds on asyncio's own loop, as JSON
"""

from __future__ import annotations

import asyncio
import contextvars
import json
import random
import sys
from collections.abc import Callable, Coroutine
from typing import Any

Step = tuple[Any, ...]
Script = list[Step]
Trace = list[list[Any]]

COLOUR: contextvars.ContextVar[int] = contextvars.ContextVar("COLOUR", default=-1)
SHARED = 3  # queues, events, locks and conditions of a program
TASKS = 60  # a program starts no more
SETTLE = 150  # turns that a program may take before what still waits is cancelled


def write(seed: int, timed: bool = False, portable: bool = False) -> list[Script]:
    """The scripts of a program's first tasks; with sleeps, all different, if it is timed."""
    chance = random.Random(seed)
    drawn: set[int] = set()

    def script(depth: int) -> Script:
        return [step(depth) for _ in range(chance.randrange(1, 9))]

    def delay() -> int:
        while (us := chance.randrange(1_000, 1_000_000)) in drawn:
            pass
        drawn.add(us)
        return us

    def step(depth: int) -> Step:
        one = chance.randrange(SHARED)
        simple: list[Step] = [
            ("yield", chance.randrange(1, 5)),
            ("mark",),
            ("soon", chance.randrange(3)),
            ("put", one),
            ("get", one),
            ("set", one),
            ("clear", one),
            ("wait", one),
            ("hold", one, chance.randrange(4)),
            ("cancel", chance.randrange(TASKS)),
            ("colour", chance.randrange(100)),
            ("raise",),
            ("fail soon",),
            ("stop soon", chance.randrange(3)),
            ("future", chance.randrange(3)),
            ("generator", chance.randrange(4)),
        ]
        if not portable:
            simple += [("notify", one), ("await notice", one)]
        if timed:
            simple += [("sleep", delay())] * 3
            simple += [("later", delay()), ("later, cancelled", delay())]
        if depth == 0 or chance.random() < 0.75:
            return chance.choice(simple)
        scripts = [script(depth - 1) for _ in range(chance.randrange(1, 4))]
        nested: list[Step] = [("spawn", scripts), ("gather", scripts), ("first", scripts)]
        if not portable:
            nested.append(("shielded", scripts[0]))
            nested.append(("group", scripts[0], chance.randrange(5)))
        if timed:
            nested.append(("within", delay(), scripts[0]))
        return chance.choice(nested)

    return [script(3) for _ in range(chance.randrange(3, 8))]


class Program:
    """One run of a program, in the loop that runs now."""

    def __init__(self, scripts: list[Script]) -> None:
        self.scripts = scripts
        self.trace: Trace = []
        self.tasks: list[asyncio.Task[Any]] = []
        self.names = iter(range(1_000_000))

    async def run(self, settle: Callable[[], Coroutine[Any, Any, None]]) -> Trace:
        """The trace: what every task did, in order, and how it ended."""
        loop = asyncio.get_running_loop()
        before = loop.get_exception_handler()
        loop.set_exception_handler(self.on_error)
        self.queues: list[asyncio.Queue[int]] = [asyncio.Queue(size) for size in range(SHARED)]
        self.events = [asyncio.Event() for _ in range(SHARED)]
        self.locks = [asyncio.Lock() for _ in range(SHARED)]
        self.conditions = [asyncio.Condition() for _ in range(SHARED)]
        try:
            first = [self.start(script) for script in self.scripts]
            await settle()
            while waiting := [task for task in self.tasks if not task.done()]:
                for task in waiting:
                    task.cancel()
                await asyncio.sleep(0)
            await asyncio.gather(*first, return_exceptions=True)
            # What is never looked at would be reported whenever it is collected.
            for task in self.tasks:
                if not task.cancelled():
                    task.exception()
        finally:
            loop.set_exception_handler(before)
        return self.trace

    def on_error(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        self.trace.append(["?", "error", type(error).__name__, str(error)])

    def note(self, who: int, *what: Any) -> None:
        self.trace.append([who, *what, COLOUR.get()])

    def start(self, script: Script) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(self.act(next(self.names), script))
        self.tasks.append(task)
        return task

    async def act(self, who: int, script: Script) -> int:
        for number, (kind, *how) in enumerate(script):
            try:
                value = await self.do(who, kind, how)
            except asyncio.CancelledError:
                self.note(who, number, kind, "cancelled")
                raise
            except BaseExceptionGroup as errors:
                self.note(who, number, kind, [str(error) for error in errors.exceptions])
            except Exception as error:
                self.note(who, number, kind, type(error).__name__)
                raise
            else:
                self.note(who, number, kind, value)
        return who

    async def do(self, who: int, kind: str, how: list[Any]) -> Any:
        loop = asyncio.get_running_loop()
        if kind == "yield":
            for turn in range(how[0]):
                await asyncio.sleep(0)
                self.note(who, "turn", turn)
        elif kind == "sleep":
            await asyncio.sleep(how[0] / 1e6)
        elif kind == "soon":
            for number in range(how[0]):
                loop.call_soon(self.note, who, "soon", number)
        elif kind == "later":
            loop.call_later(how[0] / 1e6, self.note, who, "later")
        elif kind == "later, cancelled":
            timer = loop.call_later(how[0] / 1e6, self.note, who, "never")
            loop.call_soon(timer.cancel)
        elif kind == "put":
            await self.queues[how[0]].put(who)
        elif kind == "get":
            return await self.queues[how[0]].get()
        elif kind == "set":
            self.events[how[0]].set()
        elif kind == "clear":
            self.events[how[0]].clear()
        elif kind == "wait":
            await self.events[how[0]].wait()
        elif kind == "hold":
            async with self.locks[how[0]]:
                await self.do(who, "yield", [how[1]])
        elif kind == "notify":
            async with self.conditions[how[0]]:
                self.conditions[how[0]].notify()
        elif kind == "await notice":
            async with self.conditions[how[0]]:
                await self.conditions[how[0]].wait()
        elif kind == "cancel":
            if how[0] < len(self.tasks):
                return self.tasks[how[0]].cancel()
        elif kind == "colour":
            COLOUR.set(how[0])
            loop.call_soon(self.note, who, "own colour")
            loop.call_soon(self.note, who, "no colour", context=contextvars.Context())
        elif kind == "raise":
            raise ValueError(who)
        elif kind == "fail soon":
            loop.call_soon(self.fail, who)
        elif kind == "stop soon":
            handles = [loop.call_soon(self.note, who, "kept", number) for number in range(3)]
            handles[how[0]].cancel()
        elif kind == "future":
            future = loop.create_future()
            future.add_done_callback(lambda done: self.note(who, "done"))
            change = [future.cancel, future.set_result, future.set_exception][how[0]]
            loop.call_soon(change, *([], [who], [KeyError(who)])[how[0]])
            return await asyncio.gather(future, return_exceptions=True) == [who]
        elif kind == "generator":
            async for value in self.count(who, how[0]):
                if value == 2:
                    break
        elif len(self.tasks) < TASKS:
            return await self.do_nested(kind, how)
        return None

    async def do_nested(self, kind: str, how: list[Any]) -> Any:
        if kind == "spawn":
            return len([self.start(script) for script in how[0]])
        if kind == "gather":
            return await asyncio.gather(*map(self.start, how[0]))
        if kind == "group":
            # One task: asyncio cancels those of a group in the order of a set, which is none.
            async with asyncio.TaskGroup() as group:
                self.tasks.append(group.create_task(self.act(next(self.names), how[0])))
                await asyncio.sleep(0)
                if how[1] == 0:
                    raise ValueError("group")
        elif kind == "shielded":
            return await asyncio.shield(self.start(how[0]))
        elif kind == "first":
            tasks = [self.start(script) for script in how[0]]
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            return [task in done for task in tasks]
        elif kind == "within":
            async with asyncio.timeout(how[0] / 1e6):
                return await self.start(how[1])
        return None

    async def count(self, who: int, end: int) -> Any:
        try:
            for value in range(end):
                await asyncio.sleep(0)
                yield value
        finally:
            self.note(who, "generator ends")

    def fail(self, who: int) -> None:
        raise LookupError(who)


async def soon() -> None:
    """Let everything go on that needs no time."""
    for _ in range(SETTLE):
        await asyncio.sleep(0)


async def later() -> None:
    """Let time pass."""
    await asyncio.sleep(3)


def plain(seed: int) -> Coroutine[Any, Any, Trace]:
    """A program without times: its order is that of `call_soon`."""
    return Program(write(seed)).run(soon)


def portable(seed: int) -> Coroutine[Any, Any, Trace]:
    """As `plain`, without what asyncio itself changed since Python 3.11.

    Namely who gets a notice that its waiter cannot take, whether a group of tasks that is
    cancelled twice says so, and who is told of errors behind a shield.
    """
    return Program(write(seed, portable=True)).run(soon)


def timed(seed: int) -> Coroutine[Any, Any, Trace]:
    """A program that sleeps, for virtual time: it takes seconds."""
    return Program(write(seed, timed=True)).run(later)


class ReferenceLoop(asyncio.BaseEventLoop):
    """asyncio's own loop, as it is, on virtual time: it waits for nothing but timers."""

    def __init__(self) -> None:
        super().__init__()
        self._selector = self
        self._clock_resolution = 1e-9
        self.now = 0.0

    def time(self) -> float:
        return self.now

    def select(self, timeout: float | None) -> list[Any]:
        """What the loop calls to wait."""
        if timeout is None:
            raise RuntimeError("everything waits, and nothing will happen")
        self.now = round(self.now + timeout, 6)
        return []

    def _process_events(self, events: list[Any]) -> None:
        pass

    def _write_to_self(self) -> None:
        pass

    def __del__(self) -> None:
        """Say nothing: there is nothing to close."""


def on_reference(program: Coroutine[Any, Any, Trace]) -> Trace:
    """The trace on asyncio's own loop; must not be called from a task."""
    running = asyncio._get_running_loop()
    asyncio._set_running_loop(None)
    try:
        return ReferenceLoop().run_until_complete(program)
    finally:
        asyncio._set_running_loop(running)


if __name__ == "__main__":
    first, last = map(int, sys.argv[1:])
    json.dump({seed: asyncio.run(portable(seed)) for seed in range(first, last)}, sys.stdout)
