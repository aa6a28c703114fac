"""AudioResample: changes the sample rate."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, ClassVar, Protocol, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from remotemedia.caps import Caps, Constraint, Exact, Format, parse_caps
from remotemedia.data import Audio, Metadata
from remotemedia.data.timeline import Timeline, mark_gap
from remotemedia.errors import ParamsError, UnavailableError
from remotemedia.node import INPUT, Context, ConversionCost, NodeParams
from remotemedia.nodes.audio.converter import Converter
from remotemedia.nodes.audio.kaiser import Quality
from remotemedia.nodes.audio.polyphase import Polyphase
from remotemedia.nodes.streams import PerStream

Samples = NDArray[np.float32]

# µs per second of mono audio in 20 ms blocks (bench/negotiation.py), reach in samples, stop-band.
_COSTS = {
    Quality.LOW: (500.0, 20, 60),
    Quality.MEDIUM: (700.0, 40, 90),
    Quality.HIGH: (1_200.0, 81, 120),
}
SOXR_QUALITIES = {Quality.LOW: "LQ", Quality.MEDIUM: "MQ", Quality.HIGH: "HQ"}


class AudioResample(Converter, PerStream["_Stream"]):
    """Changes the sample rate of audio, for any ratio of rates from 8 to 192 kHz.

    A polyphase Kaiser-windowed FIR low-pass. Its stop-band begins at the Nyquist frequency of the
    lower rate, so nothing aliases that is above it:

    ========  ==========  ==================================  =====================
    quality   stop-band   pass-band (of the lower Nyquist)    reach (lower rate)
    ========  ==========  ==================================  =====================
    low       ≥ 60 dB     0.80                                20 samples
    medium    ≥ 90 dB     0.85                                40 samples
    high      ≥ 120 dB    0.90                                81 samples
    ========  ==========  ==================================  =====================

    Delay is compensated: output sample k is the signal at time k / target_rate, and n input samples
    become ``ceil(n * target_rate / source_rate)`` output samples, the last of them at `finish`. The
    samples are the same, bit for bit, however the input is cut into blocks. Every channel is
    resampled by itself.

    Input cases. At the target rate a block is handed on as it is. A block with another rate or
    number of channels ends the stream so far (its tail is emitted) and starts anew, going on in
    time. A gap in the time stamps does not disturb the samples: the filter runs across it, the
    output is cut there and the first block after it carries ``gap_us`` in its metadata. Blocks of
    different `stream_id` are different streams. A sample that is not finite counts as 0. An empty
    block gives nothing.

    Latency: an output waits for `reach` input samples after its own time: ``high`` 81 samples of
    the lower rate (5.1 ms at 16 kHz, 1.8 ms at 44.1 kHz). The soxr backend waits longer.

    Ratios whose taps would need more than 4 MiB (such as 44,101 to 48,000 Hz) have them
    interpolated from a table, at the same quality and 10 times the cost.

    Backends: ``numpy`` is the default, in both worlds. ``soxr`` (CPython) uses libsoxr's LQ, MQ or
    HQ recipe; its samples differ from numpy's within the pass-band ripple, its transition band
    is narrower and its length is rounded to the nearest.

    References
    ----------
    J. F. Kaiser, "Nonrecursive digital filter design using the I0-sinh window function", Proc. IEEE
    ISCAS 1974. A. V. Oppenheim, R. W. Schafer, "Discrete-Time Signal Processing", 3rd ed., §4.6–4.7
    (changing the sampling rate, polyphase), §7.6 (Kaiser windows).

    Examples
    --------
    ::

        - {id: to16k, node_type: AudioResample, params: {target_rate: 16000, quality: high}}
    """

    class Params(NodeParams, frozen=True):
        target_rate: Annotated[
            int, msgspec.Meta(ge=8_000, le=192_000, description="Sample rate of the output, Hz.")
        ] = 16_000
        source_rate: (
            Annotated[
                int,
                msgspec.Meta(
                    ge=8_000,
                    le=192_000,
                    description="Only accept input of this rate, Hz. Default: whatever comes.",
                ),
            ]
            | None
        ) = None
        quality: Annotated[
            Quality,
            msgspec.Meta(description="Stop-band of at least 60 (low), 90 or 120 dB (high)."),
        ] = Quality.HIGH
        channels: (
            Annotated[
                int,
                msgspec.Meta(
                    ge=1, le=64, description="Only accept this many channels. Default: any number."
                ),
            ]
            | None
        ) = None

    input_caps = "audio(sample_rate=8000..192000, format=F32)"
    output_caps = "audio(sample_rate=8000..192000, format=F32)"
    converts: ClassVar[Mapping[str, str]] = {"sample_rate": "target_rate"}
    backends = ("numpy", "soxr")
    aliases: ClassVar[Mapping[str, str]] = {
        "input_rate": "source_rate",
        "output_rate": "target_rate",
        "source_sample_rate": "source_rate",
        "target_sample_rate": "target_rate",
    }

    params: Params

    @classmethod
    def input_ports(cls, params: NodeParams) -> dict[str, Caps]:
        """Audio of any rate and number of channels, or of those given."""
        own = cast("AudioResample.Params", params)
        fields = [f"sample_rate={own.source_rate or '8000..192000'}", "format=F32"]
        if own.channels:
            fields.append(f"channels={own.channels}")
        return {INPUT: parse_caps(f"audio({', '.join(fields)})")}

    @classmethod
    def sets(cls, params: NodeParams) -> Mapping[str, Constraint]:
        """The target rate."""
        return {"sample_rate": Exact(cast("AudioResample.Params", params).target_rate)}

    @classmethod
    def conversion_cost(cls, params: NodeParams, given: Format, made: Format) -> ConversionCost:
        """That of the filter; its reach is the delay."""
        quality = Quality(cast("AudioResample.Params", params).quality)
        us_per_s, reach, stop_db = _COSTS[quality]
        rates = [rate for each in (given, made) if (rate := each.number("sample_rate"))]
        delay_ms = 1000 * reach / min(rates) if rates else 0.0
        channels = given.number("channels") or 1
        return ConversionCost(us_per_s * channels, delay_ms, f"stop-band {stop_db} dB down")

    def open(self, ctx: Context) -> None:
        """Check that the backend is there."""
        if self.backend == "soxr":
            _import_soxr(ctx.node)
        elif self.backend not in (None, "numpy"):
            known = ", ".join(self.backends)
            raise ParamsError(
                f"AudioResample has no backend {self.backend!r}: use one of {known}", node=ctx.node
            )

    def start(self, audio: Audio, timeline: Timeline) -> _Stream:
        """The state of a stream that starts with this block."""
        source, target = audio.sample_rate, self.params.target_rate
        quality = Quality(self.params.quality)
        resampler: _Resampler | None = None
        if source == target:
            pass
        elif self.backend == "soxr":
            resampler = _Soxr(source, target, audio.channels, quality)
        else:
            resampler = Polyphase(source, target, audio.channels, quality)
        return _Stream(audio, target, resampler, timeline)


class _Resampler(Protocol):
    def push(self, samples: Samples) -> Samples: ...

    def finish(self) -> Samples: ...


class _Stream:
    """One stream: its resampler, and the time of what comes out of it."""

    def __init__(
        self, audio: Audio, target: int, resampler: _Resampler | None, timeline: Timeline
    ) -> None:
        self.resampler = resampler
        self.timeline = timeline
        self._source = audio.sample_rate
        self._target = target
        common = math.gcd(self._source, target)
        self._down, self._up = self._source // common, target // common
        self._channels = audio.channels
        self._stream_id = audio.stream_id
        self._metadata: Metadata | None = None
        self._sent = 0
        self._gaps: dict[int, int] = {}  # first output sample after the gap → µs, in that order

    def continues(self, audio: Audio) -> bool:
        return audio.sample_rate == self._source and len(audio.samples) == self._channels

    def push(self, audio: Audio) -> list[Audio]:
        samples = audio.samples
        position = self.timeline.frames
        gap_us = self.timeline.feed(audio.pts_us, samples.shape[1])
        if self.resampler is None:
            self.timeline.forget(self.timeline.frames)
            return [audio]
        if gap_us:
            first = -(-position * self._up // self._down)
            self._gaps[first] = self._gaps.get(first, 0) + gap_us
        self._metadata = audio.metadata
        return self._stamp(self.resampler.push(samples))

    def finish(self) -> list[Audio]:
        return [] if self.resampler is None else self._stamp(self.resampler.finish())

    def _stamp(self, samples: Samples) -> list[Audio]:
        """Blocks with their times; more than one where there is a gap in between."""
        first, last = self._sent, self._sent + samples.shape[1]
        if first == last:
            return []
        self._sent = last
        blocks = self._cut(samples, first) if self._gaps else [self._block(samples, first, 0)]
        self.timeline.forget(last * self._down // self._up)
        return blocks

    def _cut(self, samples: Samples, first: int) -> list[Audio]:
        blocks: list[Audio] = []
        start, end = first, first + samples.shape[1]
        while start < end:
            gap_us = self._gaps.pop(start, 0)
            stop = min(end, next(iter(self._gaps), end))
            part = samples[:, start - first : stop - first].copy()
            blocks.append(self._block(part, start, gap_us))
            start = stop
        return blocks

    def _block(self, samples: Samples, first: int, gap_us: int) -> Audio:
        samples.setflags(False)  # type: ignore[call-arg]  # twice as quick as by keyword
        pts_us = self.timeline.pts_us(first * self._down, self._up)
        metadata = mark_gap(self._metadata, gap_us)
        return Audio.unchecked(samples, self._target, pts_us, self._stream_id, metadata)


class _Soxr:
    """The same by libsoxr, through the package `soxr`."""

    def __init__(self, source: int, target: int, channels: int, quality: Quality) -> None:
        soxr = _import_soxr()
        recipe = SOXR_QUALITIES[quality]
        self._stream = soxr.ResampleStream(source, target, channels, "float32", recipe)
        self._channels = channels

    def push(self, samples: Samples) -> Samples:
        return self._run(samples, last=False)

    def finish(self) -> Samples:
        return self._run(np.zeros((self._channels, 0), np.float32), last=True)

    def _run(self, samples: Samples, *, last: bool) -> Samples:
        if self._channels == 1:
            one: Samples = self._stream.resample_chunk(samples[0], last)
            return one[np.newaxis]
        out = self._stream.resample_chunk(np.ascontiguousarray(samples.T), last)
        return np.ascontiguousarray(out.reshape(-1, self._channels).T, np.float32)


def _import_soxr(node: str | None = None):  # type: ignore[no-untyped-def]
    try:
        import soxr
    except ImportError as error:
        raise UnavailableError(
            f"backend 'soxr' of AudioResample cannot be imported ({error}): pip install soxr, "
            "or leave backend out to compute with numpy",
            node=node,
        ) from None
    return soxr
