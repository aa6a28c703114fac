"""Sources: tasks that feed a session from a ring of the page, or from a file that it read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remotemedia.data import Audio
from remotemedia.data.timeline import GAP_KEY, sample_time_us
from remotemedia.errors import MediaFileError
from remotemedia.session.session import Session
from remotemedia.wav import WavDecoder
from remotemedia_wasm.ends import BlockReader, View
from remotemedia_wasm.ring_signal import MakeWake, RingSignal

LOST = 1 << 30  # a bit of what `BlockReader.take` gives
PIECE = 1 << 20  # bytes of a WAV file that are decoded at once


class RingSource:
    """Sends the blocks of a ring, in order; a gap shows in the time of what follows it.

    Parameters
    ----------
    session : Session
        Where to.
    reader : BlockReader
        Where from.
    to : str or None
        The port.
    make_wake : callable
        See `MakeWake`.
    """

    def __init__(
        self,
        session: Session,
        reader: BlockReader,
        to: str | None,
        make_wake: MakeWake,
    ) -> None:
        self._session = session
        self._reader = reader
        self.to = to
        self._signal = RingSignal(make_wake)
        self._parts: dict[int, View] = {reader.blockFrames: reader.staging}

    async def run(self) -> None:
        """Until the ring has ended.

        Real-time path: one array per block, no other copies.
        """
        reader, to = self._reader, self.to
        offer, send = self._session.offer, self._session.send
        rate, channels = reader.sampleRate, reader.channels
        take, parts, unchecked = reader.take, self._parts, Audio.unchecked
        position = 0
        while True:
            frames = take()
            if frames == 0:
                await self._signal.wait(reader.arm)
                continue
            if frames < 0:
                return
            metadata = None
            if frames & LOST:
                frames -= LOST
                lost = reader.lost
                position += lost
                metadata = {GAP_KEY: sample_time_us(lost, rate)}
            samples = np.empty((channels, frames), np.float32)
            (parts.get(frames) or self._part(frames)).assign_to(samples)
            samples.setflags(False)  # type: ignore[call-arg]
            audio = unchecked(samples, rate, sample_time_us(position, rate), None, metadata)
            position += frames
            if not offer(audio, to):
                await send(audio, to)

    def close(self) -> None:
        """Let go of the ring."""
        self._reader.close()
        self._signal.close()

    def _part(self, frames: int) -> View:
        """The start of the staging that a short block is in: in front of a gap, at the end."""
        if len(self._parts) > 16:
            self._parts.clear()
        part = self._reader.staging.subarray(0, self._reader.channels * frames)
        self._parts[frames] = part
        return part


async def play_wav(session: Session, file: View, to: str | None, block_ms: float) -> float:
    """Send a WAV file; gives its length, s.

    Raises
    ------
    MediaFileError
        It is none that can be read.
    """
    content = file.to_bytes()
    wav = WavDecoder(block_ms, len(content))
    position = 0

    def blocks() -> Iterator[NDArray[Any]]:
        for start in range(0, len(content), PIECE):
            yield from wav.feed(content[start : start + PIECE])
        yield from wav.finish()

    for samples in blocks():
        if wav.info is None:
            raise MediaFileError("the WAV file has samples before its header")
        rate = wav.info.sample_rate
        samples.setflags(write=False)
        await session.send(Audio(samples, rate, sample_time_us(position, rate)), to)
        position += samples.shape[1]
    return position / wav.info.sample_rate if wav.info is not None else 0.0


async def play_samples(
    session: Session, samples: View, to: str | None, rate: int, channels: int, block_ms: float
) -> float:
    """Send planar float32 samples; gives their length, s."""
    whole = np.frombuffer(samples.to_bytes(), np.float32).reshape(channels, -1)
    block = max(1, round(rate * block_ms / 1000))
    for start in range(0, whole.shape[1], block):
        part = np.ascontiguousarray(whole[:, start : start + block])
        part.setflags(write=False)
        await session.send(Audio(part, rate, sample_time_us(start, rate)), to)
    return whole.shape[1] / rate
