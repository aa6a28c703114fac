"""Recordings that the page makes: they arrive in parts, and replay."""

from __future__ import annotations

import numpy as np

import remotemedia as rm
from page_ends import GAIN, Page, frame, ramp, running
from remotemedia import protocol
from remotemedia.clock import sleep
from remotemedia.protocol import RecordOptions
from remotemedia.recording import Recording
from remotemedia.testing import VirtualClock, assert_replays
from remotemedia_wasm.recordings import CHUNK


def recording(page_: Page, name: str = "r") -> Recording:
    return Recording(b"".join(page_.parts[name]))


def kinds(found: Recording) -> list[str]:
    return [record.kind for record in found]


async def send(page_: Page, clock: VirtualClock, blocks: int, frames: int = 480) -> None:
    for number in range(blocks):
        await page_.did(protocol.Send, frame(rm.Audio(ramp(1, frames, number), 48_000)))
        await sleep(clock, 10_000)


def test_a_recording_replays() -> None:
    clock = VirtualClock()

    async def record() -> Recording:
        page_ = await running(clock=clock)
        await page_.did(protocol.StartRecording, options=RecordOptions("r", taps=("louder:in",)))
        await send(page_, clock, 5)
        await page_.did(protocol.Interrupt)
        await send(page_, clock, 2)
        await page_.did(protocol.StopRecording, recording="r")
        await send(page_, clock, 2)  # after its end
        await page_.did(protocol.Stop)
        return recording(page_)

    found = clock.run(record())
    assert [kinds(found).count(kind) for kind in ("sent", "received", "tapped")] == [7, 7, 7]
    assert kinds(found)[-1] == "closed"
    assert (found.header.session, '"louder"' in found.header.manifest) == ("r", True)
    assert found.duration_us == 70_000
    assert_replays(found)


async def test_one_that_begins_with_the_session_has_all_of_it(clock: VirtualClock) -> None:
    source = (
        "import remotemedia as rm\n"
        "@rm.node('PageGreets')\n"
        "class Greets(rm.Node):\n"
        "    output_caps = 'text'\n"
        "    async def produce(self):\n"
        "        yield rm.Text('hello')\n"
    )
    manifest = {"version": "v1", "nodes": [*GAIN["nodes"], {"id": "g", "node_type": "PageGreets"}]}
    page_ = await running(manifest, clock, source, record=RecordOptions("r", taps=("g",)))
    await send(page_, clock, 1)
    await page_.did(protocol.Stop)  # completes it
    found = recording(page_)
    assert kinds(found)[:2] == ["tapped", "received"]  # before anything was sent
    assert kinds(found)[-1] == "closed"
    await page_.did(protocol.StopRecording, recording="r")  # as the page may not know


async def test_it_is_sent_in_parts_while_it_is_written(clock: VirtualClock) -> None:
    page_ = await running(clock=clock)
    await page_.did(protocol.StartRecording, options=RecordOptions("r"))
    await send(page_, clock, 20, frames=9_600)
    parts = list(page_.parts["r"])
    assert len(parts) >= 4
    assert all(CHUNK <= len(part) < CHUNK + 50_000 for part in parts)
    cut = Recording(b"".join(parts))  # what is left where the worker died
    assert kinds(cut).count("sent") >= 15
    await page_.did(protocol.StopRecording, recording="r")
    assert kinds(recording(page_)).count("sent") == 20


def test_one_that_is_full_says_so_once_and_is_whole() -> None:
    clock = VirtualClock()

    async def record() -> bytes:
        page_ = await running(clock=clock)
        await page_.did(protocol.StartRecording, options=RecordOptions("r", max_bytes=20_000))
        await send(page_, clock, 20)
        (event,) = page_.events()
        assert (event.kind, event.error) == ("recording", None)
        assert "has reached its 20,000 bytes" in event.message
        await page_.did(protocol.StopRecording, recording="r")
        await page_.did(protocol.Stop)
        return b"".join(page_.parts["r"])

    content = clock.run(record())
    assert 15_000 < len(content) <= 20_000
    assert 3 <= kinds(Recording(content)).count("sent") <= 6
    assert_replays(Recording(content))


async def test_what_cannot_be_recorded_is_refused() -> None:
    page_ = await running()
    options = RecordOptions("r", taps=("lauder",))
    error = await page_.refused(protocol.StartRecording, options=options)
    assert "did you mean 'louder'" in error.message
    error = await page_.refused(protocol.StartRecording, options=RecordOptions("r", max_bytes=10))
    assert error.code == "recording"
    await page_.did(protocol.StartRecording, options=RecordOptions("r"))
    error = await page_.refused(protocol.StartRecording, options=RecordOptions("r"))
    assert "there is a recording 'r' already" in error.message
    await page_.did(protocol.Stop)
    error = await page_.refused(protocol.Start, record=options)
    assert "did you mean 'louder'" in error.message
    await page_.did(protocol.Start, record=RecordOptions("again"))
    assert np.array_equal([len(part) > 0 for part in page_.parts["r"]], [True])
