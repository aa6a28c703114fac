"""Five gains in a row, in this process: the ways to run them that bench/plan.py compares."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import repeat
from time import perf_counter
from typing import Any

import numpy as np
from peers.serve import FRAMES, NODES, RATE, chunk_bytes

import remotemedia as rm
from remotemedia.session.run import Run

GAIN_DB = -0.1
FACTOR = np.float32(10 ** (GAIN_DB / 20))
WARM_UP = 64  # chunks


def make_pipeline() -> rm.Pipeline:
    """Five gains in a row."""
    pipeline = rm.Pipeline()
    for number in range(NODES):
        pipeline.add("Gain", id=f"g{number}", gain_db=GAIN_DB)
        if number:
            pipeline.connect(f"g{number - 1}", f"g{number}")
    return pipeline


SAMPLES = np.frombuffer(chunk_bytes(), np.float32).reshape(1, FRAMES)
BLOCK = rm.Audio(SAMPLES, RATE)
PIPELINE = make_pipeline()
# The same objects, on purpose: other instances could differ in where they lie in memory.
PROCESS = [node.process for node in PIPELINE.run()._nodes.values()]


def direct_stream(chunks: int) -> float:
    """Nested calls and nothing else."""
    start = perf_counter()
    direct_calls(chunks)
    return perf_counter() - start


def direct_calls(chunks: int) -> None:
    """What `direct` is."""
    a, b, c, d, e = PROCESS
    block = BLOCK
    for _ in range(chunks):
        e(d(c(b(a(block)))))


def direct_single(chunks: int) -> list[float]:
    """Each block by itself."""
    a, b, c, d, e = PROCESS
    times = []
    for _ in range(chunks):
        start = perf_counter()
        e(d(c(b(a(BLOCK)))))
        times.append(perf_counter() - start)
    return times


def started_run(chunks: int) -> Run:
    """A run in its stride, with so many chunks to come: setting up is `set_up`'s."""
    run = PIPELINE.run(repeat(BLOCK, WARM_UP + chunks))
    for _ in range(WARM_UP):
        next(run)
    return run


def run_stream(chunks: int) -> float:
    """`Pipeline.run`, to the end."""
    run = started_run(chunks)
    start = perf_counter()
    for _packet in run:
        pass
    elapsed = perf_counter() - start
    assert all(node.count == WARM_UP + chunks for node in run.metrics().nodes)
    return elapsed


def run_single(chunks: int) -> list[float]:
    """A run hands out each packet before it takes the next block."""
    run = started_run(chunks)
    times = []
    for _ in range(chunks):
        start = perf_counter()
        next(run)
        times.append(perf_counter() - start)
    run.close()
    return times


def run_arrays(chunks: int) -> float:
    """`Pipeline.run` as a program uses it: arrays in, arrays out."""
    packets = PIPELINE.run(rm.Audio(samples, RATE) for samples in repeat(SAMPLES, WARM_UP + chunks))
    for _ in range(WARM_UP):
        next(packets)
    start = perf_counter()
    for packet in packets:
        packet.data.samples  # noqa: B018 - the client looks at them
    return perf_counter() - start


def set_up(times: int) -> list[float]:
    """From a pipeline to its first packet, and to the end."""
    durations = []
    for _ in range(times):
        start = perf_counter()
        for _packet in PIPELINE.run([BLOCK]):
            pass
        durations.append(perf_counter() - start)
    return durations


async def session_stream(chunks: int) -> float:
    """`Session.stream`, open beforehand."""
    async with PIPELINE.session() as session:
        start = perf_counter()
        async for _packet in session.stream(repeat(BLOCK, chunks)):
            pass
        return perf_counter() - start


async def session_single(chunks: int) -> list[float]:
    """`send` and wait for the packet."""
    times = []
    async with PIPELINE.session() as session:
        outputs = session.outputs()
        for _ in range(chunks):
            start = perf_counter()
            await session.send(BLOCK)
            await anext(outputs)
            times.append(perf_counter() - start)
    return times


class QueueChain:
    """A task per node and a queue before each: what one writes without a framework."""

    def __init__(self, capacity: int) -> None:
        self.queues: list[asyncio.Queue[Any]] = [asyncio.Queue(capacity) for _ in range(NODES + 1)]
        self.tasks = [
            asyncio.create_task(self._work(process, *self.queues[number : number + 2]))
            for number, process in enumerate(PROCESS)
        ]

    async def __aenter__(self) -> QueueChain:
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.wait(self.tasks)

    @staticmethod
    async def _work(
        process: Callable[[Any], Any], source: asyncio.Queue[Any], target: asyncio.Queue[Any]
    ) -> None:
        while True:
            await target.put(process(await source.get()))


async def queues_stream(chunks: int, capacity: int = 64) -> float:
    """Feed and read at the same time."""
    async with QueueChain(capacity) as chain:

        async def feed() -> None:
            for _ in range(chunks):
                await chain.queues[0].put(BLOCK)

        start = perf_counter()
        feeder = asyncio.create_task(feed())
        for _ in range(chunks):
            await chain.queues[-1].get()
        elapsed = perf_counter() - start
        await feeder
    return elapsed


async def queues_single(chunks: int) -> list[float]:
    """One in flight."""
    times = []
    async with QueueChain(1) as chain:
        for _ in range(chunks):
            start = perf_counter()
            await chain.queues[0].put(BLOCK)
            await chain.queues[-1].get()
            times.append(perf_counter() - start)
    return times
