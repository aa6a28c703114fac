"""The maps of our form: one struct per type, its fields in canonical order.

A struct is the whole definition of a map: name, order, type and range of each key. Every key is
required; a key that a later version adds gets a default here, so that older frames can be read.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Raw, Struct

from remotemedia.data.audio import MAX_CHANNELS, MAX_SAMPLE_RATE
from remotemedia.data.tensor import MAX_DIMENSIONS

MAX_INT = 2**63 - 1  # of every number in data

Count = Annotated[int, Meta(ge=0, le=MAX_INT)]
Positive = Annotated[int, Meta(ge=1, le=MAX_INT)]
Time = Annotated[int, Meta(ge=-MAX_INT, le=MAX_INT)]
PixelFormat = Literal[
    "YUV420P", "I420", "NV12", "RGB24", "RGBA32", "BGR24", "BGRA32", "GRAY8"
]  # `PIXEL_FORMATS`; a test compares the two, and the same for the next three
Codec = Literal["VP8", "H264", "AV1"]
ImageFormat = Literal["JPEG", "PNG", "WEBP", "RAW"]
SampleFormat = Literal["F32", "I16", "I32", "U8"]
ElementType = Literal[
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
    "float16", "float32", "float64",
]  # fmt: skip


class PlaceFields(Struct, gc=False):
    """The place in the stream: all that `EndOfInput` has."""

    node: str
    port: str
    sequence: Count
    sub_sequence: Count
    generation: Count


class CommonFields(PlaceFields, gc=False):
    """What every data type has."""

    pts_us: Time | None
    stream_id: str | None
    metadata: Raw  # decoded last, after all that is cheap to check


class AudioFields(CommonFields, gc=False):
    """Body: samples, planar."""

    sample_rate: Annotated[int, Meta(ge=1, le=MAX_SAMPLE_RATE)]
    channels: Annotated[int, Meta(ge=1, le=MAX_CHANNELS)]
    format: SampleFormat


class VideoFields(CommonFields, gc=False):
    """Body: pixels, or one encoded access unit."""

    width: Positive
    height: Positive
    pixel_format: PixelFormat | None
    codec: Codec | None
    frame_number: Count
    is_keyframe: bool


class TextFields(CommonFields, gc=False):
    """No body."""

    text: str
    channel: str


class ControlFields(CommonFields, gc=False):
    """No body."""

    message_type: Annotated[str, Meta(min_length=1)]
    value: Raw
    segment_id: str | None
    timestamp_ms: Count


class TensorFields(CommonFields, gc=False):
    """Body: elements in C order."""

    dtype: ElementType
    shape: Annotated[list[Count], Meta(max_length=MAX_DIMENSIONS)]


class FileFields(CommonFields, gc=False):
    """No body: only the reference travels."""

    path: Annotated[str, Meta(min_length=1)]
    filename: str | None
    mime_type: str | None
    size: Count | None
    offset: Count | None
    length: Count | None


class JsonFields(CommonFields, gc=False):
    """No body."""

    value: Raw


class ImageFields(CommonFields, gc=False):
    """Body: the file's bytes, or raw pixels."""

    format: ImageFormat
    width: Count
    height: Count
    pixel_format: PixelFormat | None


class BinaryFields(CommonFields, gc=False):
    """Body: the bytes."""

    mime_type: str | None
