"""AudioFormatConvert: another sample format."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, ClassVar, NamedTuple, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from remotemedia.caps import Constraint, Exact, Format
from remotemedia.data import Audio
from remotemedia.data.formats import AUDIO_DTYPES
from remotemedia.node import ConversionCost, NodeParams
from remotemedia.nodes.audio.converter import Converter

Float64 = NDArray[np.float64]


class SampleFormat(StrEnum):
    """A sample format; lower case is accepted too."""

    F32 = "F32"
    I16 = "I16"
    I32 = "I32"
    U8 = "U8"

    @classmethod
    def _missing_(cls, value: object) -> SampleFormat | None:
        return cls.__members__.get(value.upper()) if isinstance(value, str) else None


class Dither(StrEnum):
    """Noise added before rounding."""

    NONE = "none"
    TPDF = "tpdf"


class Scale(NamedTuple):
    """How numbers stand for signal: ``number = signal * full + zero``.

    Attributes
    ----------
    full : int
        The number, from `zero`, that stands for 1.0.
    zero : int
        The number that stands for silence.
    bits : int
        Resolution, to know where one is lost.
    """

    full: int
    zero: int
    bits: int


_COST_US = 650.0  # per second of audio in 20 ms blocks (bench/negotiation.py)
SCALES = {
    "F32": Scale(1, 0, 25),  # 24 bits of mantissa and a sign
    "I16": Scale(1 << 15, 0, 16),
    "I32": Scale(1 << 31, 0, 32),
    "U8": Scale(1 << 7, 128, 8),
}


class AudioFormatConvert(Converter):
    """Converts the sample format: F32, I16, I32 and U8, in any direction.

    The scale is a power of two: full scale is 32768 in I16, 2³¹ in I32, and in U8 128 steps from
    the middle, which is 128. Conversion to an integer format rounds to nearest, halves to even, and
    saturates: +1.0 becomes 32767, −1.0 becomes −32768, ±infinity the extremes, NaN becomes 0
    (silence). Conversion to F32 is exact from I16 and U8 and rounds I32 to 24 bits; what came from
    I16 or U8 comes back unchanged.

    ``dither: tpdf`` adds triangular noise of ±1 step before rounding, where resolution is lost
    (from F32 or I32 to I16 or U8, from I16 to U8), which turns distortion into noise. The noise is
    a function of `seed`, channel and number of the sample in its stream: the same in every world
    and however the stream is cut.

    Input cases. A block that already has the format is handed on as it is. The input format may
    change at any time. Blocks of different `stream_id` count their samples apart.

    Latency: none. Results are bit-equal in every world.

    References
    ----------
    S. P. Lipshitz, R. A. Wannamaker, J. Vanderkooy, "Quantization and Dither: A Theoretical
    Survey", J. Audio Eng. Soc. 40 (1992). The noise comes from SplitMix64: G. L. Steele, D. Lea,
    C. H. Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.

    Examples
    --------
    ::

        - {id: int16, node_type: AudioFormatConvert, params: {format: I16, dither: tpdf, seed: 1}}
    """

    class Params(NodeParams, frozen=True):
        format: Annotated[
            SampleFormat, msgspec.Meta(description="Sample format of the output.")
        ] = SampleFormat.F32
        dither: Annotated[
            Dither,
            msgspec.Meta(description="Noise against distortion where resolution is lost."),
        ] = Dither.NONE
        seed: Annotated[
            int, msgspec.Meta(ge=0, lt=1 << 53, description="Chooses the noise of the dither.")
        ] = 0

    input_caps = "audio"
    output_caps = "audio"
    converts: ClassVar[Mapping[str, str]] = {"format": "format"}
    aliases: ClassVar[Mapping[str, str]] = {
        "output_format": "format",
        "target": "format",
        "target_format": "format",
    }

    params: Params

    def __init__(self, params: NodeParams | None = None, **fields: object) -> None:
        super().__init__(params, **fields)
        self._format = SampleFormat(self.params.format).value
        self._dtype = AUDIO_DTYPES[self._format]
        self._dithers = self.params.dither == Dither.TPDF
        self._positions: dict[str | None, int] = {}

    @classmethod
    def sets(cls, params: NodeParams) -> Mapping[str, Constraint]:
        """The format asked for."""
        own = cast("AudioFormatConvert.Params", params)
        return {"format": Exact(SampleFormat(own.format).value)}

    @classmethod
    def conversion_cost(cls, params: NodeParams, given: Format, made: Format) -> ConversionCost:
        """That of rounding; what is lost are bits."""
        ours, theirs = (
            SCALES[str(constraint.value)].bits if isinstance(constraint, Exact) else 32
            for constraint in (given.get("format"), made.get("format"))
        )
        quality = "exact" if theirs >= ours else f"rounded to {theirs} bits"
        return ConversionCost(_COST_US * (given.number("channels") or 1), 0.0, quality)

    def process(self, audio: Audio) -> Audio:
        """The block in the other format."""
        source = audio.format
        position = 0
        if self._dithers:
            position = self._positions.get(audio.stream_id, 0)
            self._positions[audio.stream_id] = position + audio.frames
        if source == self._format:
            return audio
        if self._format == "F32":
            return audio.with_samples(_to_float(audio.samples, SCALES[source]))
        noise = None
        if self._dithers and SCALES[source].bits > SCALES[self._format].bits:
            noise = tpdf(self.params.seed, audio.channels, position, audio.frames)
        return audio.with_samples(self._to_integer(audio.samples, SCALES[source], noise))

    def reset(self) -> None:
        """Count samples from 0 again."""
        self._positions.clear()

    def _to_integer(
        self, samples: NDArray[Any], source: Scale, noise: Float64 | None
    ) -> NDArray[Any]:
        # In float64 every step before rint is exact, for all four formats.
        target = SCALES[self._format]
        values = samples.astype(np.float64)
        if source.full == 1:
            np.clip(values, -1.0, 1.0, out=values)
            broken = np.isnan(values)
            if broken.any():
                values[broken] = 0
        values -= source.zero
        values *= target.full / source.full
        if noise is not None:
            values += noise
        np.rint(values, out=values)
        values += target.zero
        np.clip(values, target.zero - target.full, target.zero + target.full - 1, out=values)
        return values.astype(self._dtype)


def _to_float(samples: NDArray[Any], source: Scale) -> NDArray[Any]:
    values = samples.astype(np.float32)
    values -= np.float32(source.zero)
    values *= np.float32(1 / source.full)
    return values


_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15


def tpdf(seed: int, channels: int, first: int, frames: int) -> Float64:
    """Triangular noise in (−1, 1), a function of seed, channel and number of the sample.

    Returns
    -------
    np.ndarray [shape=(channels, frames), dtype=float64]
    """
    numbers = np.arange(1, frames + 1, dtype=np.uint64) + np.uint64(first)
    numbers *= np.uint64(_GOLDEN)
    starts = np.array([_mix(seed * 64 + channel) for channel in range(channels)], np.uint64)
    bits = starts[:, None] + numbers
    bits ^= bits >> np.uint64(30)
    bits *= np.uint64(0xBF58476D1CE4E5B9)
    bits ^= bits >> np.uint64(27)
    bits *= np.uint64(0x94D049BB133111EB)
    bits ^= bits >> np.uint64(31)
    # The difference of two uniform numbers of 24 bits each.
    one = (bits >> np.uint64(40)).astype(np.float64)
    other = ((bits >> np.uint64(16)) & np.uint64(0xFFFFFF)).astype(np.float64)
    return (one - other) * 2.0**-24


def _mix(value: int) -> int:
    """SplitMix64 of one number: the start of a channel's sequence."""
    value = (value + 1) * _GOLDEN & _MASK
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9 & _MASK
    value = (value ^ value >> 27) * 0x94D049BB133111EB & _MASK
    return value ^ value >> 31
