"""Sessions that stay open between calls, for bench/processes.py, so that several can take turns."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from time import perf_counter
from typing import Self, TypeVar

import numpy as np

import remotemedia as rm
from remotemedia_native.shm.loop import BellLoop

SETTLE_S = 1.5  # a spare process starts 0.5 s after the others and takes a while
PERIOD_S = 0.02
T = TypeVar("T")


class Live:
    """A session in a loop of its own, which runs while something is asked of it.

    Parameters
    ----------
    pipeline : Pipeline
        Of what.
    bells : bool
        Its loop is `BellLoop`, else asyncio's.

    Attributes
    ----------
    last : ndarray
        The samples that came last.
    open_s, close_s : float
        What that took.
    """

    def __init__(self, pipeline: rm.Pipeline, bells: bool = False) -> None:
        self._runner = asyncio.Runner(loop_factory=BellLoop if bells else None)
        self._pipeline = pipeline
        self.last: np.ndarray = np.empty(0)

    def __enter__(self) -> Self:
        async def opened() -> rm.Session:
            session = self._pipeline.session()
            await session.open()
            return session

        start = perf_counter()
        self.session = self._run(opened())
        self.open_s = perf_counter() - start
        return self

    def __exit__(self, *_: object) -> None:
        start = perf_counter()
        self._run(self.session.aclose())
        self.close_s = perf_counter() - start
        self._runner.close()

    def _run(self, work: Coroutine[object, object, T]) -> T:
        return self._runner.run(work)

    def rest(self, seconds: float = SETTLE_S) -> None:
        """Leave it alone for so long."""
        self._run(asyncio.sleep(seconds))

    def pids(self) -> list[int]:
        """The processes of its nodes."""
        parts = getattr(self.session.parts.get("process"), "parts", {})
        return [part.child.pid for part in parts.values()]

    def round_trips(self, data: rm.Audio, count: int, to: str | None = None) -> list[float]:
        """One in flight: seconds from giving each in to having it out."""

        async def main() -> list[float]:
            times = []
            send, outputs = self.session.send, self.session.outputs()
            for _ in range(count):
                start = perf_counter()
                await send(data, to)
                packet = await anext(outputs)
                times.append(perf_counter() - start)
            self.last = packet.data.samples
            return times

        return self._run(main())

    def stream(self, data: rm.Audio, count: int, in_flight: int) -> float:
        """So many in flight, always; seconds for all."""

        async def main() -> float:
            send, outputs = self.session.send, self.session.outputs()
            start = perf_counter()
            for _ in range(in_flight):
                await send(data)
            for _ in range(count - in_flight):
                await anext(outputs)
                await send(data)
            for _ in range(in_flight):
                packet = await anext(outputs)
            elapsed = perf_counter() - start
            self.last = packet.data.samples
            return elapsed

        return self._run(main())

    def flood(self, data: rm.Audio, count: int) -> float:
        """As many in flight as the session takes; seconds for all."""

        async def main() -> float:
            send, outputs = self.session.send, self.session.outputs()

            async def feed() -> None:
                for _ in range(count):
                    await send(data)

            start = perf_counter()
            feeder = asyncio.create_task(feed())
            for _ in range(count):
                packet = await anext(outputs)
            elapsed = perf_counter() - start
            await feeder
            self.last = packet.data.samples
            return elapsed

        return self._run(main())

    def beside(self, data: rm.Audio, count: int, to: str, nodes: int) -> list[float]:
        """As `round_trips`, while each of the other nodes is sent a block every 20 ms."""

        async def main() -> list[float]:
            times: list[float] = []
            session = self.session
            arrived = asyncio.Event()

            async def feed(node: str, late_s: float) -> None:
                await asyncio.sleep(late_s)
                while True:
                    await session.send(data, node)
                    await asyncio.sleep(PERIOD_S)

            async def read() -> None:
                async for packet in session.outputs():
                    if packet.node == to:
                        arrived.set()

            tasks = [asyncio.create_task(read())]
            for number in range(1, nodes):
                late_s = PERIOD_S * number / nodes
                tasks.append(asyncio.create_task(feed(f"n{number}", late_s)))
            for _ in range(count):
                arrived.clear()
                start = perf_counter()
                await session.send(data, to)
                await arrived.wait()
                times.append(perf_counter() - start)
            for task in tasks[1:]:
                task.cancel()
            await asyncio.sleep(PERIOD_S)  # what is on its way
            tasks[0].cancel()
            await asyncio.wait(tasks)
            return times

        return self._run(main())


def cpu_seconds(pid: int) -> float:
    """CPU time of all threads of a process, from the scheduler, which counts in ns."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(OSError):  # it has ended
            total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def children() -> list[int]:
    """All processes that this one has started, those of their own included."""
    found, new = [], [os.getpid()]
    while new:
        tasks = [task for pid in new for task in Path(f"/proc/{pid}/task").iterdir()]
        new = [int(pid) for task in tasks for pid in (task / "children").read_text().split()]
        found += new
    return found
