"""streamz: five `map` nodes, synchronous. Its best: no event loop, no buffers, bare arrays."""

from __future__ import annotations

import platform
from time import perf_counter

import numpy as np
import streamz
from serve import NODES, chunk_bytes, gain, serve

factor = np.float32(gain())
samples = np.frombuffer(chunk_bytes(), np.float32)

source = streamz.Stream()
end = source
for _ in range(NODES):
    end = end.map(lambda block: block * factor)
last = samples


def keep(block: np.ndarray) -> None:
    """The client."""
    global last  # noqa: PLW0603 - a cell of a closure would cost the same
    last = block


end.sink(keep)


def stream(chunks: int) -> float:
    """One after the other; synchronous, so there is no other way."""
    emit = source.emit
    start = perf_counter()
    for _ in range(chunks):
        emit(samples)
    return perf_counter() - start


def single(chunks: int) -> list[float]:
    """Each chunk by itself."""
    times = []
    for _ in range(chunks):
        start = perf_counter()
        source.emit(samples)
        times.append(perf_counter() - start)
    return times


source.emit(samples)
serve(
    {"streamz": streamz.__version__, "numpy": np.__version__, "python": platform.python_version()},
    last.tobytes(),
    {"stream": stream, "single": single},
)
