"""Formats that only live data tell: converters that come and go, with nothing lost."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any, ClassVar

import numpy as np
import pytest

import remotemedia as rm
from remotemedia.errors import FormatError, NodeError
from remotemedia.testing import VirtualClock, signals


class Meter(rm.Node):
    """Takes 16 kHz mono only, and gives it back; `flush` comes at the end."""

    input_caps = "audio(sample_rate=16000, channels=1, format=F32)"
    output_caps = "audio(sample_rate=16000, channels=1, format=F32)"

    def process(self, audio: rm.Audio) -> rm.Audio:
        assert audio.sample_rate == 16000
        assert audio.samples.shape[0] == 1
        return audio


class AsyncMeter(Meter):
    async def process(self, audio: rm.Audio) -> rm.Audio:  # type: ignore[override]
        return Meter.process(self, audio)


class StreamMeter(Meter):
    async def process(self, audio: rm.Audio) -> AsyncIterator[rm.Audio]:  # type: ignore[override]
        yield Meter.process(self, audio)


class GeneratorMeter(Meter):
    def process(self, audio: rm.Audio) -> Iterator[rm.Audio]:  # type: ignore[override]
        yield Meter.process(self, audio)


METERS = [Meter, AsyncMeter, StreamMeter, GeneratorMeter]
for _cls in METERS:
    rm.registry.default_registry().add(f"Adapted{_cls.__name__}", _cls)


def pipeline(meter: str, *, auto: bool = True, before: str = "") -> rm.Pipeline:
    nodes: list[dict[str, Any]] = [{"id": "meter", "node_type": f"Adapted{meter}"}]
    connections = []
    if before:
        nodes.insert(0, {"id": "first", "node_type": before})
        connections.append({"from": "first", "to": "meter"})
    return rm.Pipeline.load(
        {
            "version": "v1",
            "metadata": {"auto_negotiate": auto},
            "nodes": nodes,
            "connections": connections,
        }
    )


def sweep(rate: int, start: float, seconds: float, channels: int = 1) -> list[rm.Audio]:
    """A 440 Hz tone that goes on in time, in blocks of 20 ms, with time stamps."""
    phase = 2 * np.pi * 440 * start
    tone = signals.tone(440, seconds, phase=phase, sample_rate=rate, channels=channels)
    return signals.blocks(tone.replace(pts_us=round(start * 1e6)), ms=20)


def joined(packets: list[rm.Packet]) -> np.ndarray[Any, Any]:
    return np.concatenate([each.data.samples[0] for each in packets])  # type: ignore[attr-defined]


SWITCH = [*sweep(48000, 0.0, 0.5), *sweep(44100, 0.5, 0.5), *sweep(16000, 1.0, 0.5, 2)]


@pytest.mark.parametrize("before", ["", "PassThrough", "Gain"])
@pytest.mark.parametrize("meter", [cls.__name__ for cls in METERS])
async def test_a_source_that_switches_its_rate(
    meter: str, before: str, clock: VirtualClock
) -> None:
    """48 kHz, then 44.1 kHz, then 16 kHz stereo: as many samples as time says, and no click."""
    p = pipeline(meter, before=before)
    packets = [packet async for packet in p.arun(SWITCH, clock=clock)]
    samples = joined(packets)
    assert samples.size == 24000
    expected = 0.5 * np.sin(2 * np.pi * 440 * np.arange(24000) / 16000)
    error = np.abs(samples - expected)
    # The filters settle at their ends: at the beginning and where the rate changes.
    settling = 162
    for edge in (0, 8000, 16000):
        error[max(0, edge - settling) : edge + settling] = 0
    assert error.max() < 1e-4
    # No step larger than the tone's own anywhere, the filters' ends included.
    assert np.abs(np.diff(samples)).max() < 1.5 * np.abs(np.diff(expected)).max()
    times = [each.data.pts_us for each in packets]  # type: ignore[attr-defined]
    lengths = [each.data.frames for each in packets]  # type: ignore[attr-defined]
    ends = np.cumsum(lengths)[:-1] * 1e6 / 16000
    assert np.abs(np.array(times[1:]) - ends).max() <= 32  # half a sample of 16 kHz


def test_a_run_gives_the_same() -> None:
    for meter in ("Meter", "GeneratorMeter"):
        assert joined(list(pipeline(meter).run(SWITCH))).size == 24000


async def test_cut_into_any_blocks_it_is_the_same(clock: VirtualClock) -> None:
    whole = [rm.Audio(np.concatenate([b.samples for b in SWITCH[:25]], axis=1), 48000, 0)]
    one = joined(list(pipeline("Meter").run(whole)))
    other = joined(list(pipeline("Meter").run(SWITCH[:25])))
    assert np.array_equal(one, other)


async def test_streams_are_adapted_each_by_itself(clock: VirtualClock) -> None:
    """Two voices of different rates in turns, as two people send them."""
    a = [block.replace(stream_id="a") for block in sweep(48000, 0, 0.5)]
    b = [block.replace(stream_id="b") for block in sweep(44100, 0, 0.5, 2)]
    c = [block.replace(stream_id="c") for block in sweep(16000, 0, 0.5)]
    p = pipeline("Meter", before="PassThrough")
    turns = [item for three in zip(a, b, c, strict=True) for item in three]
    packets = [packet async for packet in p.arun(turns, clock=clock)]
    for stream in "abc":
        own = [packet for packet in packets if packet.data.stream_id == stream]  # type: ignore[attr-defined]
        samples = joined(own)
        assert samples.size == 8000
        expected = 0.5 * np.sin(2 * np.pi * 440 * np.arange(8000) / 16000)
        assert np.abs(samples - expected)[200:-200].max() < 1e-4


async def test_the_session_tells_what_is_converted(clock: VirtualClock) -> None:
    async with pipeline("Meter", before="PassThrough").session(clock=clock) as session:
        outputs = session.outputs()
        assert session.conversions() == {}
        await session.send(SWITCH[0])
        await anext(outputs)
        assert session.conversions() == {"meter:in": "AudioResample {target_rate: 16000}"}
        await session.send(sweep(16000, 0, 0.02, 2)[0])
        await anext(outputs)
        assert session.conversions() == {"meter:in": "ChannelMix {channels: 1}"}
        await session.send(sweep(16000, 0, 0.02)[0])
        await anext(outputs)
        await anext(outputs)
        assert session.conversions() == {}


async def test_what_fits_goes_through_as_it_is(clock: VirtualClock) -> None:
    blocks = sweep(16000, 0.0, 0.1)
    packets = list(pipeline("Meter").run(blocks))
    assert all(packet.data is block for packet, block in zip(packets, blocks, strict=True))


async def test_without_auto_negotiate_it_is_refused(clock: VirtualClock) -> None:
    p = pipeline("Meter", auto=False, before="PassThrough")
    async with p.session(clock=clock) as session:
        await session.send(SWITCH[0])
        await session.send(sweep(16000, 0, 0.02)[0])
        await session.finish()
        packets = [packet async for packet in session.outputs()]
        event = await session.next_event()
    assert len(packets) == 1  # what came after it goes on
    assert event is not None
    assert isinstance(event.error, FormatError)
    assert "insert AudioResample {target_rate: 16000} between them" in str(event.error)
    with pytest.raises(FormatError):
        list(pipeline("Meter", auto=False).run(SWITCH[:1]))


class Codes(rm.Node):
    """Gives another media type now and then."""

    input_caps: ClassVar = "any"
    output_caps: ClassVar = "any"

    def process(self, data: rm.Data) -> rm.Data:
        return data


rm.registry.default_registry().add("AdaptedCodes", Codes)


async def test_what_no_converter_mends_stops_only_what_depends_on_it(clock: VirtualClock) -> None:
    p = pipeline("Meter", before="AdaptedCodes")
    p.add("PassThrough", id="beside")
    p.connect("first", "beside")
    async with p.session(clock=clock) as session:
        for item in (rm.Text("x"), *SWITCH[:5]):
            await session.send(item)
        await session.finish()
        packets = [packet async for packet in session.outputs()]
        event = await session.next_event()
    assert event is not None
    assert str(event.error).startswith("meter:in accepts audio(sample_rate=16000, channels=1")
    assert len([packet for packet in packets if packet.node == "beside"]) == 6
    assert joined([packet for packet in packets if packet.node == "meter"]).size == 1600


async def test_an_interrupt_forgets_what_converters_hold(clock: VirtualClock) -> None:
    p = pipeline("Meter", before="PassThrough")
    async with p.session(clock=clock) as session:
        await session.send(SWITCH[0])
        outputs = session.outputs()
        await anext(outputs)
        await session.interrupt()
        await session.finish()
        assert [packet async for packet in outputs] == []


class Finds(rm.Node):
    """Finds out its format when it opens."""

    class Params(rm.Params, frozen=True):
        rate: int = 48000

    input_caps: ClassVar = {}
    output_caps = "audio(sample_rate=8000..96000, channels=1, format=F32)"
    capabilities = "runtime_discovered"

    def actual_formats(self) -> dict[str, str]:
        return {"out": f"audio(sample_rate={self.params.rate}, channels=1, format=F32)"}

    def produce(self) -> Iterator[rm.Audio]:
        yield from sweep(self.params.rate, 0.0, 0.1)


class Told(Meter):
    """Knows what it was told when it opened, and of every change."""

    told: ClassVar[list[str]] = []

    input_caps = "audio(format=F32)"
    output_caps = "audio(format=F32)"
    capabilities = "passthrough"

    def open(self, ctx: rm.Context) -> None:
        Told.told = [f"open {ctx.inputs['in']}"]

    def process(self, audio: rm.Audio) -> rm.Audio:
        Told.told.append(f"{audio.sample_rate}")
        return audio

    def reconfigure(self, ctx: rm.Context) -> None:
        Told.told.append(f"now {ctx.inputs['in']}")


rm.registry.default_registry().add("AdaptedFinds", Finds)
rm.registry.default_registry().add("AdaptedTold", Told)


def found(rate: int, auto: bool, target: str) -> rm.Pipeline:
    return rm.Pipeline.load(
        {
            "version": "v1",
            "metadata": {"auto_negotiate": auto},
            "nodes": [
                {"id": "mic", "node_type": "AdaptedFinds", "params": {"rate": rate}},
                {"id": "target", "node_type": target},
            ],
            "connections": [{"from": "mic", "to": "target"}],
        }
    )


async def test_formats_that_a_node_finds_when_it_opens(clock: VirtualClock) -> None:
    """Potential at first, actual once it is open: what comes behind it is told."""
    p = found(48000, False, "AdaptedTold")
    assert "sample_rate=8000..96000" in str(p.plan().formats.outputs["mic", "out"])
    assert len([packet async for packet in p.arun(clock=clock)]) == 5
    assert Told.told[0] == "open audio(sample_rate=48000, channels=1, format=F32)"
    fits = found(16000, False, "AdaptedMeter")
    assert len([packet async for packet in fits.arun(clock=clock)]) == 5
    with pytest.raises(rm.RemoteMediaError, match="sample_rate is 48000 but must be 16000; insert"):
        async with found(48000, False, "AdaptedMeter").session(clock=clock):
            pass
    with pytest.raises(rm.RemoteMediaError, match="sample_rate is 48000 but must be 16000"):
        list(found(48000, False, "AdaptedMeter").run())
    adapted = [packet async for packet in found(48000, True, "AdaptedMeter").arun(clock=clock)]
    assert joined(adapted).size == 1600


async def test_a_node_is_told_of_a_change_before_the_block_that_has_it(
    clock: VirtualClock,
) -> None:
    p = rm.Pipeline()
    p.add("AdaptedTold", id="told")
    blocks = [*sweep(48000, 0, 0.04), *sweep(44100, 0.04, 0.04)]
    assert len([packet async for packet in p.arun(blocks, clock=clock)]) == 4
    assert Told.told == [
        "open audio(format=F32)",
        "48000",
        "48000",
        "now audio(sample_rate=44100, channels=1, format=F32)",
        "44100",
        "44100",
    ]


def test_errors_of_the_node_are_still_its_own() -> None:
    @rm.node("AdaptedFails", input_caps="audio(sample_rate=16000)", output_caps="audio")
    def fails(audio: rm.Audio) -> rm.Audio:
        raise ZeroDivisionError("no such luck")

    p = rm.Pipeline.load(
        {
            "version": "v1",
            "metadata": {"auto_negotiate": True},
            "nodes": [{"id": "n", "node_type": "AdaptedFails"}],
        }
    )
    with pytest.raises(NodeError, match="raised ZeroDivisionError: no such luck"):
        list(p.run(SWITCH[:10]))
