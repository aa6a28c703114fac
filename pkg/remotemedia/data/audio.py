"""Audio: a block of samples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from msgspec import StructMeta
from msgspec.structs import replace
from numpy.typing import NDArray

from remotemedia.data.base import Data, DataMeta, Metadata, check_common, require_int
from remotemedia.data.formats import AUDIO_DTYPES, AUDIO_FORMATS, frozen
from remotemedia.errors import DataError

MAX_SAMPLE_RATE = 10_000_000  # Hz: above any converter, so a larger one is a mistake
MAX_CHANNELS = 256  # above any device: more are frames, in an array that is the other way round


class AudioMeta(DataMeta):
    """`Audio(...)`, checked before it is made: streams do it for every block they read.

    `replace` copies a struct in C, which is quicker than to call a constructor behind a metaclass.
    """

    def __call__(
        cls,
        samples: Any,
        sample_rate: Any,
        pts_us: int | None = None,
        stream_id: str | None = None,
        metadata: Metadata | None = None,
    ) -> Any:
        if not (
            type(samples) is np.ndarray
            and samples.ndim == 2
            and samples.dtype in AUDIO_FORMATS
            and (flags := samples.flags).c_contiguous
            and not flags.writeable
            and type(sample_rate) is int
            and 0 < sample_rate <= MAX_SAMPLE_RATE
            and 0 < samples.shape[0] <= MAX_CHANNELS
        ):
            sample_rate = require_int("sample_rate", sample_rate, 1)
            if sample_rate > MAX_SAMPLE_RATE:
                raise DataError(
                    f"sample_rate must be at most {MAX_SAMPLE_RATE} Hz, not {sample_rate}"
                )
            samples = _planar(samples)
        if pts_us is None and stream_id is None and metadata is None:
            return replace(_BARE, samples=samples, sample_rate=sample_rate)
        made = _unchecked(samples, sample_rate, pts_us, stream_id, metadata)
        check_common(made)
        return made


class Audio(Data, metaclass=AudioMeta, frozen=True, eq=False, gc=False):
    """A block of audio samples, planar.

    Parameters
    ----------
    samples : np.ndarray [shape=(channels, frames) or (frames,), dtype=float32, int16, int32, uint8]
        One row per channel. 1-D becomes one channel; float64 becomes float32. A writable array is
        copied, a read-only C-contiguous one is taken as it is.
    sample_rate : int
        Frames per second, Hz.
    pts_us, stream_id, metadata
        See `Data`.

    Raises
    ------
    DataError
        For another dtype or shape, no channel or more than 256 (the array is then probably the
        other way round), or a rate that is no positive integer.
    """

    samples: NDArray[Any]
    sample_rate: int
    pts_us: int | None = None
    stream_id: str | None = None
    metadata: Metadata | None = None

    media: ClassVar[str] = "audio"
    wire_type: ClassVar[int] = 1
    unchecked: ClassVar[Callable[..., Audio]]

    @property
    def channels(self) -> int:
        """Number of channels."""
        return int(self.samples.shape[0])

    @property
    def frames(self) -> int:
        """Samples per channel."""
        return int(self.samples.shape[1])

    @property
    def format(self) -> str:
        """``F32``, ``I16``, ``I32`` or ``U8``."""
        return AUDIO_FORMATS[self.samples.dtype]

    @property
    def duration_us(self) -> int:
        """Duration, µs, rounded."""
        return round(self.frames * 1_000_000 / self.sample_rate)

    def with_samples(self, samples: NDArray[Any]) -> Audio:
        """The same block with other samples, which it takes over and makes read-only.

        For nodes: no check and no copy. `samples` is a C-contiguous array of a supported dtype,
        `[shape=(channels, frames)]`, that the caller has just made and will not write again.
        """
        samples.setflags(False)  # type: ignore[call-arg]  # twice as quick as by keyword
        return replace(self, samples=samples)  # in C, and past the checks

    def caps_fields(self) -> dict[str, object]:
        """`sample_rate`, `channels`, `format`, `layout`."""
        return {
            "sample_rate": self.sample_rate,
            "channels": self.channels,
            "format": self.format,
            "layout": "planar",
        }


_BARE: Audio = StructMeta.__call__(Audio, np.zeros((1, 0), np.float32), 1)


def _unchecked(
    samples: NDArray[Any],
    sample_rate: int,
    pts_us: int | None = None,
    stream_id: str | None = None,
    metadata: Metadata | None = None,
) -> Audio:
    """Construct without checks: for nodes that have just made valid, read-only samples."""
    return replace(
        _BARE,
        samples=samples,
        sample_rate=sample_rate,
        pts_us=pts_us,
        stream_id=stream_id,
        metadata=metadata,
    )


Audio.unchecked = _unchecked


def _planar(samples: object) -> NDArray[Any]:
    if not isinstance(samples, np.ndarray):
        kind = type(samples).__name__
        raise DataError(
            f"samples must be a numpy array, not {kind}: use np.asarray(samples, dtype=np.float32)"
        )
    array: NDArray[Any] = np.asarray(samples)  # a subclass may have rules of its own
    if array.ndim == 1:
        array = array[np.newaxis, :]
    if array.ndim != 2 or array.shape[0] == 0:
        raise DataError(
            "samples must have shape (channels, frames), with at least one channel, or (frames,), "
            f"not {samples.shape}"
        )
    if array.shape[0] > MAX_CHANNELS:
        raise DataError(
            f"samples of shape {samples.shape} have {array.shape[0]} channels, and at most "
            f"{MAX_CHANNELS} are supported: if the shape is (frames, channels), give samples.T"
        )
    dtype = array.dtype.newbyteorder("=")
    if dtype == np.float64:
        dtype = np.dtype(np.float32)
    if dtype not in AUDIO_FORMATS:
        known = ", ".join(str(dtype) for dtype in AUDIO_DTYPES.values())
        raise DataError(
            f"samples of dtype {samples.dtype} are not supported (use {known}): "
            "scale them to one of these, e.g. (samples / 2**23).astype(np.float32) for 24-bit"
        )
    return frozen(array, dtype)
