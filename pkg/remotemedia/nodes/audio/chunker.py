"""AudioChunker: cuts a stream into blocks of one size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Annotated, Any, ClassVar, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from remotemedia.data import Audio, Metadata
from remotemedia.data.timeline import Timeline, mark_gap
from remotemedia.errors import ParamsError
from remotemedia.node import NodeParams
from remotemedia.nodes.streams import PerStream

Remainder = Literal["emit", "pad", "drop"]
Samples = NDArray[Any]

_Size = Annotated[int, msgspec.Meta(ge=1, le=10_000_000)]
_Millis = Annotated[float, msgspec.Meta(ge=0.1, le=600_000)]


class AudioChunker(PerStream["_Stream"]):
    """Cuts audio into chunks of exactly one size, whatever the size of the blocks that come in.

    The size is in samples, or in milliseconds, which then take precedence. With a hop, chunk k
    starts at ``k * hop``: a hop shorter than the chunk makes chunks overlap, a longer one skips the
    samples in between. Without one, chunks follow each other.

    Milliseconds that are no whole number of samples never add up to a drift: chunk k starts at
    ``round(k * hop_ms * rate / 1000)`` of the stream, halves up. With a hop all chunks have the
    same size, ``round(chunk_ms * rate / 1000)``; without one each lasts until the next begins, so
    2.5 ms at 44.1 kHz (110.25 samples) give 110, 111, 110, 110, 110, 111, …

    What is left at the end, too short for a chunk, is emitted as it is, padded with silence, or
    dropped (`remainder`). Only samples that no chunk has had yet count as left.

    Input cases. A chunk never spans a gap in the time stamps: what came before it is treated as at
    the end, counting starts anew, and the first chunk after it carries ``gap_us`` in its metadata.
    The same happens, without the mark, where rate, channels or sample format change. Blocks of
    different `stream_id` are different streams. The time stamp is that of the chunk's first sample;
    other metadata are those of the block that completes it. Any sample format is accepted.

    Latency: a sample waits for the last of its chunk: chunk - 1 samples at most.

    Examples
    --------
    ::

        - {id: frames, node_type: AudioChunker, params: {chunk_size: 512}}
        - {id: windows, node_type: AudioChunker, params: {chunk_ms: 25, hop_ms: 10, remainder: pad}}
    """

    class Params(NodeParams, frozen=True):
        chunk_size: Annotated[_Size, msgspec.Meta(description="Size of a chunk, samples.")] = 512
        chunk_ms: (
            Annotated[
                _Millis, msgspec.Meta(description="Size of a chunk, ms; instead of chunk_size.")
            ]
            | None
        ) = None
        hop_size: (
            Annotated[
                _Size,
                msgspec.Meta(description="From one chunk's start to the next one's, samples."),
            ]
            | None
        ) = None
        hop_ms: (
            Annotated[
                _Millis,
                msgspec.Meta(
                    description="From one chunk's start to the next one's, ms; instead of hop_size."
                ),
            ]
            | None
        ) = None
        remainder: Annotated[
            Remainder,
            msgspec.Meta(description="What to do with the last, short chunk: emit, pad or drop."),
        ] = "emit"

    input_caps = "audio"
    output_caps = "audio"
    capabilities = "passthrough"
    aliases: ClassVar[Mapping[str, str]] = {
        "chunk_duration_ms": "chunk_ms",
        "hop_length": "hop_size",
        "size": "chunk_size",
    }

    params: Params

    def start(self, audio: Audio, timeline: Timeline) -> _Stream:
        """The state of a stream that starts with this block."""
        return _Stream(audio, self.params, timeline)


class _Stream:
    """One stream: what has not been cut yet, and where the next chunk starts and ends.

    Positions count samples of the stream; a run is what lies between two gaps.
    """

    def __init__(self, audio: Audio, params: AudioChunker.Params, timeline: Timeline) -> None:
        self.timeline = timeline
        self._like = audio
        self._remainder = params.remainder
        size = _samples(params.chunk_ms, params.chunk_size, audio.sample_rate)
        contiguous = params.hop_ms is None and params.hop_size is None
        self._hop = (
            size if contiguous else _samples(params.hop_ms, params.hop_size or 0, audio.sample_rate)
        )
        self._size = None if contiguous else _times(size, 1)
        if not _times(size, 1) or not _times(self._hop, 1):
            raise ParamsError(
                f"AudioChunker: chunk_ms={params.chunk_ms} and hop_ms={params.hop_ms} must be at "
                f"least one sample; at {audio.sample_rate} Hz one lasts "
                f"{1000 / audio.sample_rate:g} ms"
            )
        self._pending: Samples | None = None
        self._held = 0  # position of the first pending sample
        self._run = 0  # where the run starts
        self._covered = 0  # end of the last chunk
        self._gap_us = 0  # to be marked on the next chunk
        self._metadata: Metadata | None = None
        self._count: int  # chunks of the run so far
        self._bounds: tuple[int, int]  # of the next one
        self._to_chunk(0)

    def continues(self, audio: Audio) -> bool:
        like = self._like
        return (
            audio.sample_rate == like.sample_rate
            and len(audio.samples) == len(like.samples)
            and audio.samples.dtype == like.samples.dtype
        )

    def push(self, audio: Audio) -> list[Audio]:
        """Append a block, give the chunks that are complete."""
        samples = audio.samples
        gap_us = self.timeline.feed(audio.pts_us, samples.shape[1])
        chunks = [*self.finish(gap_us)] if gap_us else []
        self._metadata = audio.metadata
        if self._pending is not None:
            samples = self._join(self._pending, samples, chunks)
        held, size = self._held, samples.shape[1]
        start, end = self._bounds
        while end <= held + size:
            # A block that is a chunk is handed on as it is.
            whole = samples is audio.samples and end - start == size
            chunk = samples if whole else samples[:, start - held : end - held].copy()
            chunks.append(self._next(chunk))
            start, end = self._bounds
        taken = min(start - held, size)
        self._held = held + taken
        self._pending = None
        if taken < size:
            rest = samples[:, taken:]
            # A copy, lest a few samples keep a long block alive.
            self._pending = rest if 2 * rest.size > audio.samples.size else rest.copy()
        self.timeline.forget(self._held)
        return chunks

    def _join(self, pending: Samples, samples: Samples, chunks: list[Audio]) -> Samples:
        """The samples that are to be cut. Where chunks do not overlap, the first is cut here."""
        missing = self._bounds[1] - self._held - pending.shape[1]
        if self._size is not None or samples.shape[1] < missing:
            return np.concatenate((pending, samples), axis=1)
        self._held += pending.shape[1] + missing
        chunks.append(self._next(np.concatenate((pending, samples[:, :missing]), axis=1)))
        return samples[:, missing:]

    def _next(self, samples: Samples) -> Audio:
        """The next chunk, which has these samples."""
        start, self._covered = self._bounds
        self._to_chunk(self._count + 1)
        return self._stamped(samples, start)

    def finish(self, gap_us: int = 0) -> Iterator[Audio]:
        """Give what is left, and start a new run after it."""
        start, end = self._bounds
        pending, covered = self._pending, self._covered
        arrived = self._held + (0 if pending is None else pending.shape[1])
        self._run = self._held = self._covered = arrived
        self._pending = None
        self._to_chunk(0)
        if pending is not None and arrived > covered and self._remainder != "drop":
            rest = pending
            if self._remainder == "pad":
                silence = 128 if rest.dtype == np.uint8 else 0
                padding = ((0, 0), (0, end - arrived))
                rest = np.pad(rest, padding, constant_values=silence)
            yield self._stamped(rest.copy(), start)
        self._gap_us += gap_us

    def _to_chunk(self, number: int) -> None:
        """Make a chunk of the run the next one."""
        self._count = number
        start = self._run + _times(self._hop, number)
        after = self._run + _times(self._hop, number + 1)
        self._bounds = start, after if self._size is None else start + self._size

    def _stamped(self, samples: Samples, position: int) -> Audio:
        samples.setflags(False)  # type: ignore[call-arg]  # twice as quick as by keyword
        metadata = mark_gap(self._metadata, self._gap_us)
        self._gap_us = 0
        like = self._like
        pts_us = self.timeline.pts_us(position)
        return Audio.unchecked(samples, like.sample_rate, pts_us, like.stream_id, metadata)


def _samples(millis: float | None, samples: int, rate: int) -> tuple[int, int]:
    """A number of samples, as numerator and denominator."""
    # By way of the text, so that 2.3 ms are 23/10 and not the nearest binary fraction.
    exact = Fraction(samples) if millis is None else Fraction(str(millis)) * rate / 1000
    return exact.as_integer_ratio()


def _times(value: tuple[int, int], times: int) -> int:
    """``value * times``, rounded to nearest, halves up."""
    numerator, denominator = value
    return (2 * times * numerator + denominator) // (2 * denominator)
