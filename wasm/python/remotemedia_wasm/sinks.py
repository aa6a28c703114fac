"""Sinks: where packets go that come out of a port: into a ring that is played, or into a file."""

from __future__ import annotations

import io
from collections.abc import Awaitable, Iterable
from typing import Any, Protocol

import numpy as np

from remotemedia.data import Audio, Packet
from remotemedia.errors import DataError
from remotemedia.node import Node
from remotemedia.registry import default_registry
from remotemedia.session.flow import flow
from remotemedia.wav import Encoding, WavWriter
from remotemedia_wasm.ends import BlockWriter, View
from remotemedia_wasm.ring_signal import MakeWake, RingSignal

_FLOAT32 = np.dtype(np.float32)
QUALITY = "medium"  # of the resampling of what a graph gives out at another rate than the page's


class Sink(Protocol):
    """Where the packets of one port go."""

    def write(self, packet: Packet) -> Awaitable[None] | None:
        """Take a packet of audio; what it gives has to be awaited before the next one."""

    async def finish(self) -> None:
        """No more will come."""

    def clear(self, fade_ms: float) -> None:
        """Interrupt: forget what waits; what is heard already is faded out for so long."""

    def close(self) -> bytes | None:
        """Let go; a file gives its content."""


class SpeakerSink:
    """Plays audio through a ring.

    What has another rate than the page's audio is resampled, and channels are mixed, by the same
    nodes that a graph would use.

    Parameters
    ----------
    writer : BlockWriter
        Where to.
    live : bool
        Never wait for room.
    make_wake : callable
        See `MakeWake`.
    """

    def __init__(
        self,
        writer: BlockWriter,
        live: bool,
        make_wake: MakeWake,
    ) -> None:
        self._writer = writer
        self._rate = writer.sampleRate
        self._channels = writer.channels
        self._longest = writer.maxFrames
        self._live = live
        self._signal = RingSignal(make_wake)
        self._parts: dict[int, View] = {}
        self._chain: list[Node] = []
        self._format: tuple[object, ...] = ()
        self._cleared = 0

    def write(self, packet: Packet) -> Awaitable[None] | None:
        """Play a block; waits for room unless the speaker is live.

        Real-time path: in the page's own format, where there is room, one copy and no task switch.
        """
        audio: Any = packet.data
        samples = audio.samples
        channels, frames = samples.shape
        if (
            self._chain
            or audio.sample_rate != self._rate
            or samples.dtype != _FLOAT32
            or (channels != 1 and channels != self._channels)
            or frames > self._longest
            or not (self._live or self._writer.room() >= frames)
        ):
            return self._play(audio)
        self._part(channels * frames).assign(samples)
        self._writer.put(frames, channels)
        return None

    async def _play(self, audio: Audio) -> None:
        cleared = self._cleared
        for block in self._convert(audio):
            await self._put(block)
            if cleared != self._cleared:  # while there was no room
                return

    async def finish(self) -> None:
        """Play what the resampler still holds, then end."""
        for block in flow([], self._chain, tails=True):
            await self._put(block)
        self._writer.end()

    def clear(self, fade_ms: float) -> None:
        """Fade out and drop what waits to be played."""
        self._cleared += 1
        self._writer.clear(round(fade_ms * self._rate / 1000))
        for node in self._chain:
            node.reset()

    def close(self) -> None:
        """Let go of the ring."""
        self._writer.close()
        self._signal.close()

    async def _put(self, audio: Audio) -> None:
        channels, frames = audio.samples.shape
        cleared = self._cleared
        for start in range(0, frames, self._longest):
            count = min(self._longest, frames - start)
            part = audio.samples
            if count != frames:
                part = np.ascontiguousarray(part[:, start : start + count])
            if not self._live:
                while self._writer.room() < count:
                    await self._signal.wait(self._writer.arm, count)
                if cleared != self._cleared:
                    return
            self._part(channels * count).assign(part)
            self._writer.put(count, channels)

    def _part(self, size: int) -> View:
        part = self._parts.get(size)
        if part is None:
            if len(self._parts) > 64:  # blocks of ever new sizes
                self._parts.clear()
            part = self._parts[size] = self._writer.staging.subarray(0, size)
        return part

    def _convert(self, audio: Audio) -> Iterable[Audio]:
        given = (audio.sample_rate, audio.samples.dtype, audio.samples.shape[0])
        if given != self._format:
            tails = list(flow([], self._chain, tails=True))
            self._chain = self._make_chain(audio)
            self._format = given
            return [*tails, *flow([audio], self._chain)]
        return (audio,) if not self._chain else flow([audio], self._chain)

    def _make_chain(self, audio: Audio) -> list[Node]:
        find = default_registry().find
        chain: list[Node] = []
        if audio.format != "F32":
            chain.append(find("AudioFormatConvert")(format="F32"))
        if audio.channels not in (1, self._channels):  # of one, the ring makes copies
            chain.append(find("ChannelMix")(channels=self._channels))
        if audio.sample_rate != self._rate:
            chain.append(find("AudioResample")(target_rate=self._rate, quality=QUALITY))
        return chain


class RecorderSink:
    """Collects audio as a WAV file in memory.

    Parameters
    ----------
    encoding : str or None
        A `remotemedia.wav.Encoding`; by default 32-bit float.
    """

    def __init__(self, encoding: str | None) -> None:
        self._encoding = Encoding(encoding or "float32")
        self._file = io.BytesIO()
        self._writer: WavWriter | None = None

    def write(self, packet: Packet) -> None:
        """Append a block.

        Raises
        ------
        DataError
            Its format is not that of the file.
        """
        audio: Any = packet.data
        if self._writer is None:
            self._writer = WavWriter(self._file, audio.sample_rate, audio.channels, self._encoding)
        writer = self._writer
        if (audio.sample_rate, audio.channels) != (writer.sample_rate, writer.channels):
            raise DataError(
                f"{packet.node}:{packet.port} changed from {writer.channels} channels at "
                f"{writer.sample_rate} Hz to {audio.channels} at {audio.sample_rate} Hz, but a "
                "recording has one format: add a ChannelMix or an AudioResample to the pipeline",
                node=packet.node,
                port=packet.port,
            )
        writer.write(audio.samples)

    async def finish(self) -> None:
        """Nothing: the file is completed when it is asked for."""

    def clear(self, fade_ms: float) -> None:
        """Nothing: what was recorded stays."""

    def close(self) -> bytes:
        """The file; empty if no audio came."""
        if self._writer is not None:
            self._writer.finish()
        return self._file.getvalue()
