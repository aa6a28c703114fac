"""The bridge between a page and a session, with the page's ends kept in memory."""

from __future__ import annotations

import asyncio
import io
import json
import sys

import numpy as np
import pytest

import remotemedia as rm
from page_ends import GAIN, Page, Reader, View, Writer, frame, idle, ramp, running
from remotemedia import protocol
from remotemedia.clock import sleep
from remotemedia.testing import VirtualClock, signals
from remotemedia.wav import Encoding, WavDecoder, WavWriter
from remotemedia_wasm import messages as page
from remotemedia_wasm.outbox import MAX_UNREAD
from remotemedia_wasm.page_source import PAGE_MODULE


async def test_load_tells_of_the_graph() -> None:
    page_ = Page()
    info = await page_.did(protocol.Load, manifest=GAIN)
    assert info["nodes"] == [
        {
            "id": "louder",
            "nodeType": "Gain",
            "summary": "Multiplies all samples by a constant.",
            "params": {"gain_db": 6.0},
            "inputs": {"in": "audio(format=F32)"},
            "outputs": {"out": "audio(format=F32)"},
            "isOutput": False,
        }
    ]
    assert info["entries"] == ["louder:in"]
    assert info["outlets"] == ["louder:out"]
    assert info["mermaid"].startswith("flowchart LR")


async def test_load_takes_yaml_and_json_text() -> None:
    page_ = Page()
    yaml = "version: v1\nnodes:\n  - {id: a, node_type: Gain}\n"
    assert (await page_.did(protocol.Load, manifest=yaml))["nodes"][0]["id"] == "a"
    text = json.dumps(GAIN)
    assert (await page_.did(protocol.Load, manifest=text))["nodes"][0]["id"] == "louder"


async def test_text_is_never_taken_for_a_path() -> None:
    error = await Page().refused(protocol.Load, manifest="/etc/passwd", name="page.yaml")
    assert error.code == "manifest"
    assert "/etc/passwd" not in [problem.path for problem in error.problems]


async def test_problems_come_with_their_places() -> None:
    text = "version: v1\nnodes:\n  - {id: a, node_type: Gian}\n  - {id: a, node_type: Gain}\n"
    error = await Page().refused(protocol.Load, manifest=text, name="page.yaml")
    assert error.code == "manifest"
    assert (error.problems[0].line, error.problems[0].column) == (3, 24)
    assert "did you mean 'Gain'?" in error.problems[0].message
    assert error.problems[1].line == 4


async def test_start_needs_a_pipeline_and_send_a_start() -> None:
    page_ = Page()
    assert "load one first" in (await page_.refused(protocol.Start)).message
    await page_.did(protocol.Load, manifest=GAIN)
    error = await page_.refused(protocol.Send, frame(rm.Text("x")))
    assert "call start() first" in error.message


async def test_send_and_read() -> None:
    page_ = await running()
    assert await page_.did(protocol.Send, frame(rm.Audio(ramp(1, 10), 48_000))) == 0
    assert await page_.did(protocol.Send, frame(rm.Audio(ramp(1, 10), 48_000))) == 1
    assert page_.packets == []  # nobody reads yet
    await page_.did(protocol.Read, packets=10)
    assert [packet.sequence for packet in page_.packets] == [0, 1]
    expected = ramp(1, 10) * np.float32(10 ** (6 / 20))
    assert np.array_equal(page_.packets[0].data.samples, expected)
    await page_.did(protocol.Finish)
    assert page_.ended() == [protocol.Ended()]


async def test_what_is_refused_says_why() -> None:
    page_ = await running()
    error = await page_.refused(protocol.Send, frame(rm.Text("x")))
    assert (error.code, "louder:in" in error.message) == ("address", True)
    error = await page_.refused(protocol.Send, frame(rm.Text("x")), to="nobody")
    assert "no node 'nobody'" in error.message
    error = await page_.refused(protocol.Send, View(np.zeros(3, np.uint8)))
    assert error.code == "wire"


async def test_a_reader_is_waited_for() -> None:
    page_ = await running()
    await page_.did(protocol.Read, packets=2)
    audio = rm.Audio(ramp(1, 10), 48_000)
    numbers = [page_.post(protocol.Send, frame(audio)) for _ in range(600)]
    await idle()
    assert len(page_.packets) == 2
    done = [number for number in numbers if page_.answered(number) is not None]
    assert len(done) < 600  # the graph is full, and holds the senders
    while len(page_.packets) < 600:
        await page_.did(protocol.Read, packets=100)
    assert [packet.sequence for packet in page_.packets] == list(range(600))


async def test_unread_packets_are_kept_and_then_counted() -> None:
    page_ = await running()
    for _ in range(MAX_UNREAD + 5):
        await page_.did(protocol.Send, frame(rm.Audio(ramp(1, 1), 48_000)))
    assert (await page_.did(protocol.GetMetrics))["unread"] == 5
    await page_.did(protocol.Read, packets=5_000)
    assert [packet.sequence for packet in page_.packets] == list(range(5, MAX_UNREAD + 5))


async def test_ended_comes_after_the_last_packet() -> None:
    page_ = await running()
    await page_.did(protocol.Send, frame(rm.Audio(ramp(1, 1), 48_000)))
    await page_.did(protocol.Finish)
    assert page_.ended() == []  # a packet still waits for its reader
    await page_.did(protocol.Read, packets=1)
    assert len(page_.packets) == 1
    assert page_.ended() == [protocol.Ended()]


async def test_a_ring_feeds_the_graph_in_order_with_exact_times() -> None:
    page_ = await running()
    await page_.did(protocol.Read, packets=1_000)
    reader = Reader(2, 44_100, 441)
    await page_.did(page.AttachReader, reader, connection="mic")
    reader.push(ramp(2, 441))
    await idle()
    reader.push(ramp(2, 441, 441))
    reader.push(ramp(2, 100, 882))  # a short one, in front of a gap
    reader.push(ramp(2, 441, 2_000), lost=1_018)
    await idle()
    got = [packet.data for packet in page_.packets]
    assert [audio.pts_us for audio in got] == [0, 10_000, 20_000, 45_351]
    assert got[3].metadata == {"gap_us": 23_084}
    assert [audio.metadata for audio in got[:3]] == [None, None, None]
    assert np.allclose(got[2].samples, ramp(2, 100, 882) * 10 ** (6 / 20))
    reader.end()
    await idle()
    assert reader.closed


async def test_what_is_left_in_a_ring_goes_in_before_it_is_let_go() -> None:
    page_ = await running()
    await page_.did(protocol.Read, packets=1_000)
    reader = Reader(1, 48_000, 480)
    await page_.did(page.AttachReader, reader, connection="mic")
    for start in range(0, 4_800, 480):
        reader.waiting.append((0, ramp(1, 480, start)))
    reader.waiting.append((0, ramp(1, 7, 4_800)))
    reader.end()
    await page_.did(page.Detach, connection="mic", drain=True)
    assert sum(packet.data.frames for packet in page_.packets) == 4_807
    assert reader.closed


async def test_a_source_that_does_not_end_is_let_go_after_a_second(clock: VirtualClock) -> None:
    page_ = await running(clock=clock)
    reader = Reader(1, 48_000, 480)
    await page_.did(page.AttachReader, reader, connection="mic")
    number = page_.post(page.Detach, connection="mic", drain=True)
    await idle()
    assert page_.answered(number) is None
    await sleep(clock, 1_100_000)
    await idle()
    assert page_.answered(number) is not None
    assert reader.closed


async def test_a_ring_of_the_wrong_format_is_refused_at_once() -> None:
    manifest = {
        "version": "v1",
        "nodes": [{"id": "mix", "node_type": "ChannelMix", "params": {"channels": 1}}],
    }
    page_ = await running(manifest)
    error = await page_.refused(
        page.AttachReader, Reader(1, 48_000, 480), connection="mic", to="nobody"
    )
    assert error.code == "address"


async def test_a_speaker_hears_what_the_graph_gives() -> None:
    page_ = await running()
    writer = Writer(2, 48_000, 1_440)
    await page_.did(page.AttachWriter, writer, connection="speaker")
    await page_.did(protocol.Send, frame(rm.Audio(ramp(1, 480), 48_000)))
    expected = ramp(1, 480) * np.float32(10 ** (6 / 20))
    assert np.array_equal(writer.samples(), np.repeat(expected, 2, axis=0))
    assert page_.packets == []
    await page_.did(protocol.Read, packets=5)
    assert page_.packets == []  # what was heard is not kept for later
    await page_.did(protocol.Finish)
    assert writer.ended


async def test_what_a_speaker_cannot_play_is_kept_for_a_reader() -> None:
    manifest = {"version": "v1", "nodes": [{"id": "p", "node_type": "PassThrough"}]}
    page_ = await running(manifest)
    await page_.did(page.AttachWriter, Writer(1, 48_000, 1_000), connection="speaker")
    await page_.did(protocol.Send, frame(rm.Text("x")))
    await page_.did(protocol.Read, packets=5)
    assert [packet.data.text for packet in page_.packets] == ["x"]


async def test_a_full_speaker_holds_the_graph_and_loses_nothing() -> None:
    page_ = await running()
    writer = Writer(1, 48_000, 1_000)
    await page_.did(page.AttachWriter, writer, connection="speaker")
    whole = ramp(1, 5_000)
    sent = page_.post(protocol.Send, frame(rm.Audio(whole, 48_000)))
    for _ in range(10):
        await idle()
        assert writer.filled <= 1_000
        writer.drain()
    await idle()
    assert page_.answered(sent) is not None
    assert np.array_equal(writer.samples(), whole * np.float32(10 ** (6 / 20)))


async def test_a_speaker_of_another_rate_hears_it_resampled() -> None:
    manifest = {"version": "v1", "nodes": [{"id": "p", "node_type": "PassThrough"}]}
    page_ = await running(manifest)
    writer = Writer(1, 48_000, 1 << 20)
    await page_.did(page.AttachWriter, writer, connection="speaker")
    tone = signals.tone(440, 1, amplitude=1, sample_rate=16_000)
    for block in signals.blocks(tone, ms=20):
        await page_.did(protocol.Send, frame(block))
    await page_.did(protocol.Finish)
    heard = writer.samples()[0]
    assert heard.size == 48_000
    expected = np.sin(2 * np.pi * 440 * np.arange(48_000) / 48_000)
    assert np.abs(heard - expected)[500:-500].max() < 1e-3


async def test_an_interrupt_empties_the_speaker_and_what_nobody_read() -> None:
    page_ = await running()
    writer = Writer(1, 48_000, 1 << 20)
    await page_.did(page.AttachWriter, writer, connection="speaker")
    await page_.did(protocol.Send, frame(rm.Audio(ramp(1, 480), 48_000)))
    assert await page_.did(protocol.Interrupt) == {"generation": 1, "nodes": ["louder"]}
    assert writer.filled == 0
    assert writer.cleared >= 1


async def test_a_recorder_gives_the_file_when_it_is_detached() -> None:
    page_ = await running()
    await page_.did(page.AttachRecorder, connection="r")
    for start in (0, 480):
        await page_.did(protocol.Send, frame(rm.Audio(ramp(2, 480, start), 48_000)))
    await page_.did(page.Detach, connection="r")
    wav = WavDecoder()
    samples = np.concatenate([*wav.feed(page_.beside), *wav.finish()], axis=1)
    assert np.array_equal(samples, ramp(2, 960) * np.float32(10 ** (6 / 20)))


async def test_a_recorder_whose_format_changes_says_so_and_keeps_what_it_has() -> None:
    page_ = await running()
    await page_.did(page.AttachRecorder, connection="r")
    await page_.did(protocol.Send, frame(rm.Audio(ramp(1, 480), 48_000)))
    await page_.did(protocol.Send, frame(rm.Audio(ramp(1, 480), 16_000)))
    (event,) = page_.events()
    assert "one format" in event.error.message
    await page_.did(page.Detach, connection="r")
    wav = WavDecoder()
    assert np.concatenate([*wav.feed(page_.beside), *wav.finish()], axis=1).shape == (1, 480)


async def test_a_wav_file_is_played_as_natively() -> None:
    content = io.BytesIO()
    writer = WavWriter(content, 44_100, 1, Encoding("pcm16"))
    writer.write(ramp(1, 2_000))
    writer.finish()
    page_ = await running()
    await page_.did(protocol.Read, packets=1_000)
    file = View(np.frombuffer(content.getvalue(), np.uint8))
    assert await page_.did(page.PlayFile, file, connection="f") == pytest.approx(2_000 / 44_100)
    got = [packet.data for packet in page_.packets]
    assert [audio.pts_us for audio in got] == [0, 20_000, 40_000]
    quantised = np.round(ramp(1, 2_000) * 32_768) / np.float32(32_768)
    joined = np.concatenate([audio.samples for audio in got], axis=1)
    assert np.array_equal(joined, quantised.astype(np.float32) * np.float32(10 ** (6 / 20)))


async def test_samples_are_played_in_blocks() -> None:
    page_ = await running()
    await page_.did(protocol.Read, packets=1_000)
    planes = View(ramp(2, 1_000).reshape(-1).view(np.uint8))
    fields = {"connection": "f", "sample_rate": 48_000, "channels": 2, "block_ms": 10}
    assert await page_.did(page.PlayFile, planes, **fields) == pytest.approx(1_000 / 48_000)
    assert [packet.data.frames for packet in page_.packets] == [480, 480, 40]


async def test_what_is_no_audio_is_refused() -> None:
    page_ = await running()
    error = await page_.refused(page.PlayFile, View(np.zeros(100, np.uint8)), connection="f")
    assert error.code == "media_file"


async def test_a_failing_node_is_told_with_its_traceback() -> None:
    page_ = Page()
    source = (
        "import remotemedia as rm\n"
        "@rm.node('PageBroken', input_caps='text', output_caps='text')\n"
        "def broken(text: rm.Text) -> rm.Text:\n"
        "    return 1 / 0  # the line at fault\n"
    )
    await page_.did(page.Define, source=source)
    manifest = {"version": "v1", "nodes": [{"id": "b", "node_type": "PageBroken"}]}
    await page_.did(protocol.Load, manifest=manifest)
    await page_.did(protocol.Start)
    await page_.did(protocol.Send, frame(rm.Text("x")))
    (event,) = page_.events()
    assert (event.kind, event.node, event.sequence) == ("error", "b", 0)
    assert event.error.code == "node"
    assert "ZeroDivisionError" in event.error.message
    assert "return 1 / 0  # the line at fault" in event.error.traceback


async def test_source_can_be_defined_again_and_its_errors_are_told() -> None:
    page_ = Page()
    source = "import remotemedia as rm\n@rm.node('PageTwice')\ndef twice(data):\n    return {}\n"
    for version in ("data", "[data, data]"):
        await page_.did(page.Define, source=source.format(version))
    manifest = {"version": "v1", "nodes": [{"id": "t", "node_type": "PageTwice"}]}
    await page_.did(protocol.Load, manifest=manifest)
    await page_.did(protocol.Start)
    await page_.did(protocol.Send, frame(rm.Text("x")))
    await page_.did(protocol.Read, packets=9)
    assert len(page_.packets) == 2
    error = await page_.refused(page.Define, source="x = \n")
    assert error.code == "internal"
    assert "SyntaxError" in error.message
    assert PAGE_MODULE in sys.modules


async def test_outlets_are_found_or_the_error_says_which_there_are() -> None:
    manifest = {
        "version": "v1",
        "nodes": [
            {"id": "a", "node_type": "AudioResample", "params": {"target_rate": 16_000}},
            {"id": "vad", "node_type": "EnergyVAD"},
        ],
        "connections": [{"from": "a", "to": "vad"}],
    }
    page_ = await running(manifest)
    formats = await page_.did(page.Formats)
    assert formats == {"at": "vad:audio", "sampleRate": 16_000, "channels": None, "live": False}
    error = await page_.refused(page.Formats, from_="vad:segments")
    assert "no audio comes out of vad:segments (audio: vad:audio)" in error.message
    error = await page_.refused(page.Formats, from_="a")
    assert "is_output_node: true" in error.message
    error = await page_.refused(page.Formats, from_="vda")
    assert "no output port 'vda'" in error.message


async def test_what_is_heard_in_real_time_is_known() -> None:
    page_ = Page()
    source = (
        "import remotemedia as rm\n"
        "@rm.node('PageVoice', input_caps='text', output_caps='audio')\n"
        "def voice(text): return None\n"
    )
    await page_.did(page.Define, source=source)
    manifest = {
        "version": "v1",
        "nodes": [
            {"id": "mix", "node_type": "ChannelMix", "is_output_node": True},
            {"id": "vad", "node_type": "EnergyVAD"},
            {"id": "say", "node_type": "PageVoice"},
        ],
        "connections": [{"from": "mix", "to": "vad"}],
    }
    await page_.did(protocol.Load, manifest=manifest)
    await page_.did(protocol.Start)
    assert not (await page_.did(page.Formats, from_="vad:audio"))["live"]
    await page_.did(page.AttachReader, Reader(1, 48_000, 480), connection="mic", to="mix")
    assert (await page_.did(page.Formats, from_="mix"))["live"]
    assert (await page_.did(page.Formats, from_="vad:audio"))["live"]
    assert not (await page_.did(page.Formats, from_="say"))["live"]  # made of text


async def test_stop_closes_everything_and_start_begins_anew() -> None:
    page_ = await running()
    reader, writer = Reader(1, 48_000, 480), Writer(1, 48_000, 1 << 20)
    await page_.did(page.AttachReader, reader, connection="mic")
    await page_.did(page.AttachWriter, writer, connection="speaker")
    await page_.did(protocol.Stop)
    assert (reader.closed, writer.closed) == (True, True)
    assert "call start()" in (await page_.refused(protocol.Interrupt)).message
    await page_.did(protocol.Start)
    await page_.did(protocol.Read, packets=9)
    assert await page_.did(protocol.Send, frame(rm.Audio(ramp(1, 5), 48_000))) == 0
    assert len(page_.packets) == 1


async def test_a_hundred_starts_leave_no_task_behind() -> None:
    page_ = Page()
    await page_.did(protocol.Load, manifest=GAIN)
    for _ in range(100):
        await page_.did(protocol.Start)
        await page_.did(page.AttachReader, Reader(1, 48_000, 480), connection="mic")
        await page_.did(protocol.Stop)
    await idle()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert page_.bridge._live.tasks == set()
