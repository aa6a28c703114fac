"""Ray: a compiled graph of five actors, each a process, called by its driver.

Its best: `experimental_compile` (shared-memory channels, no scheduler in between), results read in
order and only viewed, no dashboard, no log forwarding. Its limit of executions in flight is ten;
a graph with more is a second one, on the same actors, once the first is torn down.
"""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
from collections import deque
from pathlib import Path
from time import perf_counter
from typing import Any

os.environ |= {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"}

import numpy as np
import ray
from leftovers import mapped, remove
from ray.dag import InputNode
from serve import NODES, chunk_bytes, gain, serve

MEMORY = 200_000_000  # bytes, of its object store


@ray.remote(num_cpus=0)
class Gain:
    """One node."""

    def __init__(self, factor: float) -> None:
        self.factor = np.float32(factor)

    def process(self, samples: np.ndarray) -> np.ndarray:
        """One chunk."""
        return samples * self.factor


class Chain:
    """The actors, and the graph that is compiled for so many in flight."""

    def __init__(self) -> None:
        self.samples = np.frombuffer(chunk_bytes(), np.float32)
        self.actors = [Gain.remote(gain()) for _ in range(NODES)]
        self.graph: Any = None
        self.in_flight = 0
        self.files: set[Path] = set()

    def prepare(self, in_flight: int) -> None:
        """Compile."""
        if in_flight == self.in_flight:
            return
        if self.graph is not None:
            self.graph.teardown()
        with InputNode() as node:
            for actor in self.actors:
                node = actor.process.bind(node)
        self.graph = node.experimental_compile(
            _max_inflight_executions=in_flight, _max_buffered_results=in_flight
        )
        self.in_flight = in_flight
        self.call()
        self.files |= mapped(r"sem\.\S+")

    def call(self) -> np.ndarray:
        """One chunk, alone."""
        return ray.get(self.graph.execute(self.samples))

    def stream(self, chunks: int, in_flight: int) -> float:
        """So many under way, always."""
        self.prepare(in_flight)
        execute, get, samples = self.graph.execute, ray.get, self.samples
        waiting: deque[Any] = deque()
        start = perf_counter()
        for _ in range(chunks):
            if len(waiting) == in_flight:
                get(waiting.popleft())
            waiting.append(execute(samples))
        while waiting:
            get(waiting.popleft())
        return perf_counter() - start

    def single(self, chunks: int) -> list[float]:
        """One in flight."""
        self.prepare(8)
        times = []
        for _ in range(chunks):
            start = perf_counter()
            self.call()
            times.append(perf_counter() - start)
        return times


folder = tempfile.mkdtemp(prefix="rmray")
try:
    ray.init(
        address="local",
        num_cpus=1,
        include_dashboard=False,
        log_to_driver=False,
        object_store_memory=MEMORY,
        _temp_dir=folder,
    )
    chain = Chain()
    try:
        chain.prepare(8)
        serve(
            {"ray": ray.__version__, "numpy": np.__version__, "python": platform.python_version()},
            chain.call().tobytes(),
            {
                "stream_8": lambda chunks: chain.stream(chunks, 8),
                "stream_32": lambda chunks: chain.stream(chunks, 32),
                "single": chain.single,
            },
        )
        chain.graph.teardown()
    finally:
        ray.shutdown()
        remove(chain.files)  # Ray leaves the semaphores of its channels
finally:
    shutil.rmtree(folder, ignore_errors=True)
