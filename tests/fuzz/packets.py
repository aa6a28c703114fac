"""Hypothesis strategies for packets of every type: what each form of the wire can carry."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import numpy as np

from remotemedia import wire
from remotemedia.data import (
    Audio,
    Binary,
    Control,
    File,
    Image,
    Json,
    Packet,
    Tensor,
    Text,
    Video,
)
from remotemedia.data.audio import MAX_SAMPLE_RATE
from remotemedia.data.formats import (
    AUDIO_DTYPES,
    PIXEL_FORMATS,
    TENSOR_DTYPES,
    VIDEO_CODECS,
    pixel_bytes,
)

U64 = st.integers(0, 2**64 - 1)
COUNTS = st.integers(0, 2**63 - 1)
INT64 = st.integers(-(2**63), 2**64 - 1)
SCALARS = st.none() | st.booleans() | INT64 | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    SCALARS | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=12,
)
METADATA = st.none() | st.dictionaries(st.text(), JSON, max_size=4)
COMMON = {
    "pts_us": st.none() | st.integers(-(2**63) + 1, 2**63 - 1),
    "stream_id": st.none() | st.text(),
    "metadata": METADATA,
}


@st.composite
def arrays(draw: st.DrawFn, dtype: np.dtype[Any], shape: tuple[int, ...]) -> np.ndarray:
    """Any bits, NaNs included; for bool 0 and 1."""
    size = int(np.prod(shape))
    if dtype == np.bool_:
        raw = bytes(draw(st.lists(st.integers(0, 1), min_size=size, max_size=size)))
    else:
        raw = draw(st.binary(min_size=size * dtype.itemsize, max_size=size * dtype.itemsize))
    return np.frombuffer(raw, dtype).reshape(shape)


@st.composite
def audio(draw: st.DrawFn, formats: list[str], common: dict[str, Any]) -> Audio:
    dtype = AUDIO_DTYPES[draw(st.sampled_from(formats))]
    shape = (draw(st.integers(1, 4)), draw(st.integers(0, 9)))
    rate = draw(st.integers(1, MAX_SAMPLE_RATE))
    return Audio(draw(arrays(dtype, shape)), rate, **draw(st.fixed_dictionaries(common)))


@st.composite
def video(draw: st.DrawFn, formats: list[str], common: dict[str, Any]) -> Video:
    fields: dict[str, Any] = {"frame_number": draw(COUNTS), "is_keyframe": draw(st.booleans())}
    if draw(st.booleans()):
        pixel_format: str | None = draw(st.sampled_from(formats))
        codec = None
        width, height = draw(st.integers(1, 5)), draw(st.integers(1, 5))
        size = pixel_bytes(str(pixel_format), width, height)
    else:
        pixel_format, codec = None, draw(st.sampled_from(sorted(VIDEO_CODECS)))
        width, height = draw(st.integers(1, 2**32 - 1)), draw(st.integers(1, 2**32 - 1))
        size = draw(st.integers(0, 40))
    pixels = draw(arrays(np.dtype(np.uint8), (size,)))
    fields |= draw(st.fixed_dictionaries(common))
    return Video(pixels, width, height, pixel_format, codec, **fields)


@st.composite
def tensors(draw: st.DrawFn, common: dict[str, Any]) -> Tensor:
    dtype = draw(st.sampled_from(sorted(TENSOR_DTYPES, key=str)))
    shape = tuple(draw(st.lists(st.integers(0, 4), max_size=4)))
    return Tensor(draw(arrays(dtype, shape)), **draw(st.fixed_dictionaries(common)))


@st.composite
def images(draw: st.DrawFn) -> Image:
    common = draw(st.fixed_dictionaries(COMMON))
    if draw(st.booleans()):
        kind = draw(st.sampled_from(["JPEG", "PNG", "WEBP"]))
        return Image(draw(st.binary()), kind, draw(COUNTS), draw(COUNTS), **common)
    pixel_format = draw(st.sampled_from(sorted(PIXEL_FORMATS)))
    width, height = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    size = pixel_bytes(pixel_format, width, height)
    content = draw(st.binary(min_size=size, max_size=size))
    return Image(content, "RAW", width, height, pixel_format, **common)


PATHS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20)

OWN = {
    "audio": audio(sorted(AUDIO_DTYPES), COMMON),
    "video": video(sorted(PIXEL_FORMATS), COMMON),
    "text": st.builds(Text, st.text(), st.text(), **COMMON),
    "control": st.builds(
        Control, st.text(min_size=1), JSON, st.none() | st.text(), COUNTS, **COMMON
    ),
    "tensor": tensors(COMMON),
    "file": st.builds(
        File,
        PATHS,
        st.none() | st.text(),
        st.none() | st.text(),
        st.none() | COUNTS,
        st.none() | COUNTS,
        st.none() | COUNTS,
        **COMMON,
    ),
    "json": st.builds(Json, JSON, **COMMON),
    "image": images(),
    "binary": st.builds(Binary, st.binary(), st.none() | st.text(), **COMMON),
}
"""Media type → data that our form carries."""

SOME = st.none() | st.text(min_size=1, max_size=20)
POSITIVE = st.none() | st.integers(1, 2**63 - 1)
PLAIN_FORMATS = sorted(name for name, number in PIXEL_FORMATS.items() if number is not None)
ARGUMENTS = st.none() | st.dictionaries(
    st.text().filter(lambda key: key != "type"), JSON, min_size=1, max_size=4
)
PLAIN = {
    "audio": audio(["F32"], {"metadata": METADATA}),
    "video": video(PLAIN_FORMATS, {}),
    "text": st.builds(Text, st.text(), st.text(max_size=40) | st.just("tts")),
    "control": st.builds(
        Control,
        st.text(min_size=1),
        ARGUMENTS,
        st.none() | st.text(),
        COUNTS,
        metadata=METADATA,
    ),
    "tensor": tensors({}),
    "file": st.builds(File, PATHS, SOME, SOME, POSITIVE, POSITIVE, POSITIVE, stream_id=SOME),
}
"""Media type → data that the plain form carries without loss."""

SESSIONS = st.text(max_size=70)


def packets(data: st.SearchStrategy[Any]) -> st.SearchStrategy[Packet]:
    """Data at any place in a stream."""
    return st.builds(Packet, data, st.text(), st.text(), COUNTS, COUNTS, U64, COUNTS)


def ends() -> st.SearchStrategy[wire.EndOfInput]:
    """Ends of input, at any place in a stream."""
    return st.builds(wire.EndOfInput, st.text(), st.text(), COUNTS, COUNTS, U64, COUNTS)
