"""GStreamer from Python: appsrc ! 5 × volume ! appsink, all five in C.

Its best: methods of GstApp rather than signals, one streaming thread (no queues between the
elements), `extract_dup` rather than a mapped view; `volume` works in place on the buffer. What
Python pays is one buffer in and one out per chunk. `stream` feeds from a second thread, `lists`
hands over 16 buffers (320 ms) at a time.
"""

from __future__ import annotations

import platform
import threading
from time import perf_counter

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstApp", "1.0")
from gi.repository import Gst, GstApp  # noqa: E402, F401 - GstApp gives the elements their methods
from serve import NODES, RATE, chunk_bytes, gain, serve  # noqa: E402

LIST = 16

Gst.init(None)
factor = gain()
samples = chunk_bytes()
size = len(samples)
volumes = " ! ".join([f"volume volume={factor!r}"] * NODES)
caps = f"audio/x-raw,format=F32LE,rate={RATE},channels=1,layout=interleaved"
pipeline = Gst.parse_launch(
    f'appsrc name=in format=time caps="{caps}" block=true max-buffers=64'
    f" ! {volumes} ! appsink name=out sync=false max-buffers=64"
)
push = pipeline.get_by_name("in").push_buffer
push_list = pipeline.get_by_name("in").push_buffer_list
pull_sample = pipeline.get_by_name("out").pull_sample
wrap = Gst.Buffer.new_wrapped


def pull() -> bytes:
    """The next chunk that came out."""
    return pull_sample().get_buffer().extract_dup(0, size)


def stream(chunks: int) -> float:
    """Fed from a thread of its own, as fast as it goes."""

    def feed() -> None:
        for _ in range(chunks):
            push(wrap(samples))

    feeder = threading.Thread(target=feed)
    start = perf_counter()
    feeder.start()
    for _ in range(chunks):
        pull()
    elapsed = perf_counter() - start
    feeder.join()
    return elapsed


def lists(chunks: int) -> float:
    """Batched: 16 chunks in, 16 chunks out."""
    start = perf_counter()
    for _ in range(chunks // LIST):
        buffers = Gst.BufferList.new_sized(LIST)
        for _ in range(LIST):
            buffers.insert(-1, wrap(samples))
        push_list(buffers)
        for _ in range(LIST):
            pull()
    return (perf_counter() - start) * chunks / (chunks // LIST * LIST)


def single(chunks: int) -> list[float]:
    """One chunk in flight."""
    times = []
    for _ in range(chunks):
        start = perf_counter()
        push(wrap(samples))
        pull()
        times.append(perf_counter() - start)
    return times


pipeline.set_state(Gst.State.PLAYING)
push(wrap(samples))
serve(
    {"gstreamer": Gst.version_string().split()[-1], "python": platform.python_version()},
    pull(),
    {"stream": stream, "lists": lists, "single": single},
)
pipeline.set_state(Gst.State.NULL)
