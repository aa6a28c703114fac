"""pipecat: five FrameProcessors and a sink.

Three ways, and three chains:

- ``default``: `PipelineWorker` and processors as they come, metrics off.
- ``tuned``: RTVI, turn tracking and idle detection off as well.
- ``direct``: tuned, and ``enable_direct_mode=True`` on every processor: its option for quick
  processors, which are then called without the queue and the task that each has otherwise.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import os
import platform
from time import perf_counter
from typing import Any

import numpy as np
from loguru import logger
from pipecat.frames.frames import Frame, OutputAudioRawFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.workers.runner import WorkerRunner
from serve import NODES, RATE, Work, chunk_bytes, gain, serve

factor = np.float32(gain())
samples = chunk_bytes()


class Gain(FrameProcessor):
    """Its audio is bytes, so a node views them, multiplies, and makes bytes again."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """One frame."""
        await super().process_frame(frame, direction)
        if isinstance(frame, OutputAudioRawFrame):
            frame.audio = (np.frombuffer(frame.audio, np.float32) * factor).tobytes()
        await self.push_frame(frame, direction)


class Sink(FrameProcessor):
    """The client: counts, and tells when as many came as are awaited."""

    awaited = 0
    arrived = asyncio.Event()
    last = b""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """One frame."""
        await super().process_frame(frame, direction)
        if isinstance(frame, OutputAudioRawFrame):
            self.last = frame.audio
            self.awaited -= 1
            if not self.awaited:
                self.arrived.set()
        else:
            await self.push_frame(frame, direction)


class Chain:
    """One running pipeline."""

    def __init__(self, direct: bool = False, **options: Any) -> None:
        self.sink = Sink(enable_direct_mode=direct)
        self.worker = PipelineWorker(
            Pipeline([*(Gain(enable_direct_mode=direct) for _ in range(NODES)), self.sink]),
            params=PipelineParams(audio_in_sample_rate=RATE, audio_out_sample_rate=RATE),
            cancel_on_idle_timeout=False,  # the others are measured meanwhile
            **options,
        )

    async def start(self) -> None:
        """Start, and see one frame through."""
        runner = WorkerRunner(handle_sigint=False)
        await runner.add_workers(self.worker)
        self.running = asyncio.create_task(runner.run())
        await self.send(1)

    async def send(self, frames: int) -> None:
        """Queue frames as fast as it goes and wait for the last."""
        self.sink.awaited = frames
        self.sink.arrived.clear()
        for _ in range(frames):
            await self.worker.queue_frame(OutputAudioRawFrame(samples, RATE, 1))
        await self.sink.arrived.wait()

    async def stream(self, chunks: int) -> float:
        """All at once."""
        start = perf_counter()
        await self.send(chunks)
        return perf_counter() - start

    async def single(self, chunks: int) -> list[float]:
        """One in flight."""
        times = []
        for _ in range(chunks):
            start = perf_counter()
            await self.send(1)
            times.append(perf_counter() - start)
        return times


TUNED = {"idle_timeout_secs": None, "enable_rtvi": False, "enable_turn_tracking": False}

logger.remove()
with asyncio.Runner() as loop:
    chains = {"default": Chain(), "tuned": Chain(**TUNED), "direct": Chain(direct=True, **TUNED)}
    works: dict[str, Work] = {}
    for name, chain in chains.items():
        loop.run(chain.start())
        works[f"{name}_stream"] = lambda chunks, chain=chain: loop.run(chain.stream(chunks))
        works[f"{name}_single"] = lambda chunks, chain=chain: loop.run(chain.single(chunks))
    versions = {
        "pipecat": importlib.metadata.version("pipecat-ai"),
        "numpy": np.__version__,
        "python": platform.python_version(),
    }
    serve(versions, chains["direct"].sink.last, works)
    os._exit(0)  # a runner ends only by a signal, and there is nothing to save
