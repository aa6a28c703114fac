"""The built wheel, installed by Pyodide from a lock file, on the main thread of a page.

There is no worker, no bridge and no loop of ours there unless a test installs one: what is in the
wheel must work with Pyodide as it comes.
"""

from __future__ import annotations

from typing import Any

from pytest_pyodide import run_in_pyodide


def test_the_page_is_isolated(selenium: Any) -> None:
    assert selenium.run_js("return crossOriginIsolated") is True


@run_in_pyodide(packages=["remotemedia"])
def test_a_pipeline_runs(selenium: Any) -> None:
    import sys

    import numpy as np

    import remotemedia as rm

    @rm.node("Loudest", input_caps="audio(format=F32)", output_caps="json")
    def loudest(audio: rm.Audio, *, floor: float = 0.0) -> rm.Json:
        return rm.Json({"peak": max(floor, float(np.abs(audio.samples).max()))})

    pipeline = rm.Pipeline()
    pipeline.add("Gain", id="quiet", gain_db=-6)
    pipeline.add("Loudest", id="peak")
    pipeline.connect("quiet", "peak")
    tone = np.full((1, 480), 0.5, np.float32)
    (packet,) = pipeline.run([rm.Audio(tone, 48_000)])
    assert abs(packet.data.value["peak"] - 0.5 * 10 ** (-6 / 20)) < 1e-6
    assert "yaml" not in sys.modules
    assert "scipy" not in sys.modules


@run_in_pyodide(packages=["remotemedia"])
async def test_a_live_session_runs_on_the_loop_of_pyodide(selenium: Any) -> None:
    import asyncio

    import remotemedia as rm

    assert type(asyncio.get_running_loop()).__module__ == "pyodide.webloop"
    pipeline = rm.Pipeline()
    pipeline.add("PassThrough", id="echo")

    async def source():
        for number in range(50):
            yield rm.Json({"number": number})

    async with pipeline.session() as session:
        told = [packet.data.value["number"] async for packet in session.stream(source())]
    assert told == list(range(50))


@run_in_pyodide(packages=["remotemedia"])
async def test_the_batched_loop_serves_a_page(selenium: Any) -> None:
    import asyncio

    import remotemedia as rm
    from remotemedia_wasm.loop import BatchedLoop, install, uninstall

    before = asyncio.get_running_loop()
    install()
    try:
        assert isinstance(asyncio.get_running_loop(), BatchedLoop)
        pipeline = rm.Pipeline()
        pipeline.add("PassThrough", id="echo")

        async def source():
            for number in range(200):
                yield rm.Json({"number": number})
                await asyncio.sleep(0)

        async with pipeline.session() as session:
            told = [packet.data.value["number"] async for packet in session.stream(source())]
        assert told == list(range(200))
        # JavaScript has its turns, too.
        from js import Promise, setTimeout
        from pyodide.ffi import create_once_callable

        turns = asyncio.Event()
        setTimeout(create_once_callable(turns.set), 1)
        while not turns.is_set():
            await asyncio.sleep(0)
        assert await Promise.resolve(7) == 7
    finally:
        uninstall()
    assert asyncio.get_running_loop() is before
    assert type(before).__module__ == "pyodide.webloop"


@run_in_pyodide(packages=["remotemedia", "scipy"])
def test_a_filter_with_scipy(selenium: Any) -> None:
    import numpy as np

    import remotemedia as rm

    pipeline = rm.Pipeline()
    pipeline.add("IIRFilter", id="low", kind="lowpass", order=4, cutoff_hz=1000)
    time = np.arange(48_000) / 48_000
    peaks = []
    for frequency in (100, 1000, 4000):
        tone = np.sin(2 * np.pi * frequency * time).astype(np.float32)
        (packet,) = pipeline.run([rm.Audio(tone, 48_000)])
        peaks.append(float(np.abs(packet.data.samples[0, 24_000:]).max()))
    # A Butterworth of fourth order: flat, −3.01 dB, −48.2 dB and more, by the bilinear transform.
    assert abs(peaks[0] - 1) < 1e-3
    assert abs(peaks[1] - 0.5**0.5) < 1e-3
    assert 0.003 < peaks[2] < 0.0039


@run_in_pyodide(packages=["remotemedia", "my-nodes"])
def test_nodes_of_an_installed_wheel_are_known_by_their_entry_points(selenium: Any) -> None:
    import sys

    import remotemedia as rm

    assert "my_nodes" not in sys.modules
    pipeline = rm.Pipeline()
    pipeline.add("MyShout", id="shout")
    (packet,) = pipeline.run([rm.Text("hello")])
    assert packet.data.text == "HELLO!"
    assert "my_nodes" in sys.modules
