"""The plain form, reading: what the reference system writes."""

from __future__ import annotations

import math
from collections.abc import Callable
from struct import Struct

import msgspec
import numpy as np

from remotemedia.data import Audio, Control, Data, File, Metadata, Packet, Tensor, Text, Video
from remotemedia.data.audio import MAX_CHANNELS, MAX_SAMPLE_RATE
from remotemedia.data.base import unchecked
from remotemedia.data.formats import PIXEL_FORMATS, VIDEO_CODECS, pixel_bytes
from remotemedia.data.json import MAX_DEPTH, check_json
from remotemedia.data.tensor import MAX_DIMENSIONS
from remotemedia.errors import DataError, WireError
from remotemedia.wire.fields import MAX_INT
from remotemedia.wire.frame import END_OF_INPUT, EndOfInput
from remotemedia.wire.own_read import TENSOR_TYPES, View, aligned, array_view, check_booleans
from remotemedia.wire.own_write import check_span
from remotemedia.wire.plain_write import C_ORDER, ENCODED, F_ORDER, MAX_JSON, c_strides
from remotemedia.wire.scan import scan_json

_F32, _BYTE = np.dtype(np.float32), np.dtype(np.uint8)
_PIXEL_FORMATS = {number: name for name, number in PIXEL_FORMATS.items() if number is not None}
_CODECS = {number: name for name, number in VIDEO_CODECS.items()}
# ``float32`` as ``str(dtype)`` writes it, ``<f4`` as ``dtype.str`` does; big-endian is not taken.
_DTYPES = {**TENSOR_TYPES, **{dtype.str: dtype for dtype in TENSOR_TYPES.values()}}
_U8, _U16, _U32, _U64 = Struct("<B"), Struct("<H"), Struct("<I"), Struct("<Q")
_SKIP_JSON: Callable[[bytes], object] = msgspec.json.Decoder(msgspec.Raw).decode
_DECODE_JSON: Callable[[bytes], object] = msgspec.json.Decoder().decode
_make: Callable[..., Data] = unchecked  # every check of the constructors is made here, on the bytes


def read(
    view: View, code: int, timestamp_us: int, start: int, bare_audio_rate: int | None
) -> Packet | EndOfInput:
    """The packet in the payload that goes from `start` to the end of `view`.

    Raises
    ------
    WireError
        Names the field that is wrong, and where it starts.
    """
    if code == END_OF_INPUT:
        if start != len(view):
            raise WireError("the end of input has no payload", "payload", start)
        return EndOfInput(timestamp_us=timestamp_us)
    cursor = _Cursor(view, start)
    if code == Audio.wire_type:
        data: Data = _audio(cursor, bare_audio_rate)
    else:
        data = _READ[code](cursor)
    if cursor.pos != len(view):
        raise WireError(f"{len(view) - cursor.pos} bytes too many", "payload", cursor.pos)
    return Packet(data, "", "", timestamp_us=timestamp_us)


class _Cursor:
    """Reads a payload from front to back; what is not there is an error that names the field."""

    __slots__ = ("pos", "view")

    def __init__(self, view: View, pos: int) -> None:
        self.view = view
        self.pos = pos

    @property
    def left(self) -> int:
        return len(self.view) - self.pos

    def skip(self, count: int, field: str) -> int:
        """Pass over `count` bytes; returns where they start."""
        start = self.pos
        if count > len(self.view) - start:
            raise WireError(f"cut short: {len(self.view) - start} of {count} bytes", field, start)
        self.pos = start + count
        return start

    def number(self, form: Struct, field: str) -> int:
        start = self.skip(form.size, field)
        number: int = form.unpack_from(self.view, start)[0]
        if number > MAX_INT:
            raise WireError(f"{number} does not fit 63 bits", field, start)
        return number

    def numbers(self, form: str, field: str) -> tuple[int, ...]:
        layout = Struct(form)
        return layout.unpack_from(self.view, self.skip(layout.size, field))

    def text(self, count: int, field: str) -> str:
        start = self.skip(count, field)
        try:
            return str(self.view[start : self.pos], "utf-8")
        except UnicodeDecodeError as error:
            raise WireError(f"not UTF-8: {error.reason}", field, start + error.start) from None

    def json(self, count: int, limit: int, field: str) -> object:
        start = self.skip(count, field)
        if count > MAX_JSON:
            raise WireError(f"{count} bytes, at most {MAX_JSON} are taken", field, start)
        text = bytes(self.view[start : self.pos])
        scan_json(text, limit, field, start)
        try:
            _SKIP_JSON(text)  # makes nothing: so text that breaks off late has built nothing
            return _DECODE_JSON(text)
        except ValueError as error:
            raise WireError(str(error)[:200], field, start) from None


def _audio(cursor: _Cursor, bare_rate: int | None) -> Audio:
    start = cursor.pos
    if bare_rate is not None and _is_bare(cursor):
        return _samples(cursor, bare_rate, 1, None)
    rate = cursor.number(_U32, "sample_rate")
    if not 0 < rate <= MAX_SAMPLE_RATE:
        raise WireError(
            f"{rate} Hz; if this is the older layout of samples alone, say bare_audio_rate",
            "sample_rate",
            start,
        )
    channels = cursor.number(_U16, "channels")
    if not 0 < channels <= MAX_CHANNELS:
        raise WireError(f"{channels}, 1 to {MAX_CHANNELS} are taken", "channels", start + 4)
    meta_len = cursor.number(_U32, "meta_len")
    if meta_len > cursor.left:
        raise WireError(f"{meta_len} bytes are not there, {cursor.left} are", "meta_len", start + 6)
    if not meta_len:
        return _samples(cursor, rate, channels, None)
    place = cursor.pos
    metadata = cursor.json(meta_len, MAX_DEPTH, "metadata")
    if metadata is not None and not isinstance(metadata, dict):
        raise WireError("neither an object nor null", "metadata", place)
    _check_json(metadata, "metadata", place)
    return _samples(cursor, rate, channels, metadata)


def _is_bare(cursor: _Cursor) -> bool:
    """True for the older layout, samples alone.

    The first word tells: a rate of 1 Hz to `MAX_SAMPLE_RATE`, read as a float32, is a denormal
    below 1.5e-38 (−756 dB), which no first sample is; and 0 (silence) is no rate.
    """
    if cursor.left % 4:
        return False
    if cursor.left < 4:
        return True
    return not 0 < int(_U32.unpack_from(cursor.view, cursor.pos)[0]) <= MAX_SAMPLE_RATE


def _samples(cursor: _Cursor, rate: int, channels: int, metadata: Metadata | None) -> Audio:
    frames, rest = divmod(cursor.left, 4 * channels)
    if rest:
        raise WireError(
            f"{cursor.left} bytes are no whole number of {channels}-channel F32 frames",
            "samples",
            cursor.pos,
        )
    start = cursor.skip(cursor.left, "samples")
    samples = array_view(cursor.view, _F32, (frames, channels), start)
    if channels == 1:
        samples = aligned(samples.reshape(1, frames))
    else:
        samples = np.array(samples.T, order="C")
        samples.setflags(write=False)
    return Audio.unchecked(samples, rate, None, None, metadata)


def _video(cursor: _Cursor) -> Data:
    start = cursor.pos
    width = cursor.number(_U32, "width")
    height = cursor.number(_U32, "height")
    pixfmt = cursor.number(_U8, "pixel_format")
    number = cursor.number(_U8, "codec")
    frame_number = cursor.number(_U64, "frame_number")
    keyframe = cursor.number(_U8, "is_keyframe")
    if not width or not height:
        field, place = ("height", start + 4) if width else ("width", start)
        raise WireError("0 pixels", field, place)
    codec = _CODECS.get(number)
    if number and codec is None:
        raise WireError(f"no codec has number {number}", "codec", start + 9)
    pixel_format = _PIXEL_FORMATS.get(pixfmt)
    # An encoded frame may leave its pixel format unspecified (0).
    if pixel_format is None and (codec is None or pixfmt not in (0, ENCODED)):
        raise WireError(f"no raw frame has pixel format {pixfmt}", "pixel_format", start + 8)
    if pixel_format is not None and codec is not None:
        raise WireError(f"{codec} in a frame of raw {pixel_format}", "codec", start + 9)
    if keyframe > 1:
        raise WireError(f"{keyframe} is neither 0 nor 1", "is_keyframe", start + 18)
    size = cursor.left
    pixels = cursor.skip(size, "pixels")
    if pixel_format is not None:
        needed = pixel_bytes(pixel_format, width, height)
        if needed != size:
            raise WireError(
                f"{size} bytes, {width}x{height} {pixel_format} needs {needed}", "pixels", pixels
            )
    array = array_view(cursor.view, _BYTE, (size,), pixels)
    return _make(Video, array, width, height, pixel_format, codec, frame_number, bool(keyframe))


def _text(cursor: _Cursor) -> Data:
    if cursor.left and cursor.view[cursor.pos] == 0:
        cursor.skip(1, "channel")
        channel = cursor.text(cursor.number(_U8, "channel_len"), "channel")
        return _make(Text, cursor.text(cursor.left, "text"), channel)
    return _make(Text, cursor.text(cursor.left, "text"))


def _control(cursor: _Cursor) -> Data:
    start = cursor.pos
    message = cursor.json(cursor.left, MAX_DEPTH + 1, "message")
    if not isinstance(message, dict):
        raise WireError("not an object", "message", start)
    message_type: object = message.get("message_type")
    value: object = None
    if isinstance(message_type, dict):  # a tagged union, its arguments beside the tag
        value = {key: each for key, each in message_type.items() if key != "type"} or None
        message_type = message_type.get("type")
    if not isinstance(message_type, str) or not message_type:
        raise WireError("neither a name nor an object with a type", "message_type", start)
    segment_id = message.get("segment_id")
    if segment_id is not None and not isinstance(segment_id, str):
        raise WireError("neither a string nor null", "segment_id", start)
    timestamp_ms = message.get("timestamp_ms", 0)
    if type(timestamp_ms) is not int or not 0 <= timestamp_ms <= MAX_INT:
        raise WireError("no whole number of 63 bits", "timestamp_ms", start)
    metadata = message.get("metadata")
    if metadata is not None and not isinstance(metadata, dict):
        raise WireError("neither an object nor null", "metadata", start)
    _check_json(value, "message_type", start)
    _check_json(metadata, "metadata", start)
    return _make(Control, message_type, value, segment_id, timestamp_ms, None, None, metadata)


def _tensor(cursor: _Cursor) -> Data:
    start = cursor.pos
    ndim = cursor.number(_U16, "ndim")
    if ndim > MAX_DIMENSIONS:
        raise WireError(f"{ndim} dimensions, at most {MAX_DIMENSIONS} are taken", "ndim", start)
    shape = cursor.numbers(f"<{ndim}Q", "shape")
    shape_place, strides_place = start + 2, cursor.pos
    count = cursor.number(_U16, "strides")
    if count not in (0, ndim):
        raise WireError(f"{count} strides for {ndim} dimensions", "strides", strides_place)
    strides = cursor.numbers(f"<{count}q", "strides")
    dtype_place = cursor.pos
    name = cursor.text(cursor.number(_U16, "dtype"), "dtype")
    dtype = _DTYPES.get(name)
    if dtype is None:
        raise WireError(f"{name[:32]!r} is not supported", "dtype", dtype_place)
    flags_place = cursor.pos
    flags = cursor.number(_U8, "flags")
    if not flags & (C_ORDER | F_ORDER):
        raise WireError("neither C nor Fortran order: only these are read", "flags", flags_place)
    size = cursor.left
    needed = math.prod(shape) * dtype.itemsize
    place = cursor.skip(size, "elements")
    if needed != size:
        raise WireError(f"{size} bytes, the shape needs {needed}", "elements", place)
    if not size and not check_span(shape, dtype.itemsize):
        raise WireError("too long for an empty array", "shape", shape_place)
    fortran = not flags & C_ORDER
    sides = shape[::-1] if fortran else shape
    if size and count:
        expected = c_strides(sides, dtype.itemsize)
        if fortran:
            expected.reverse()
        for side, given, right in zip(shape, strides, expected, strict=True):
            if given != right and side != 1:  # a side of 1 is never stepped over
                raise WireError(
                    f"{given} is not the {right} of its order", "strides", strides_place
                )
    values = array_view(cursor.view, dtype, sides, place)
    check_booleans(values, place, "elements")
    if fortran:
        values = np.array(values.T, order="C")
        values.setflags(write=False)
    return _make(Tensor, aligned(values))


def _file(cursor: _Cursor) -> Data:
    start = cursor.pos
    path = cursor.text(cursor.number(_U16, "path"), "path")
    if not path or "\0" in path:
        raise WireError("empty, or with a NUL", "path", start)
    filename = cursor.text(cursor.number(_U16, "filename"), "filename")
    mime_type = cursor.text(cursor.number(_U16, "mime_type"), "mime_type")
    size = cursor.number(_U64, "size")
    offset = cursor.number(_U64, "offset")
    length = cursor.number(_U64, "length")
    stream_id = cursor.text(cursor.number(_U16, "stream_id"), "stream_id")
    return _make(
        File,
        path,
        filename or None,
        mime_type or None,
        size or None,
        offset or None,
        length or None,
        None,
        stream_id or None,
    )


def _check_json(value: object, field: str, place: int) -> None:
    try:
        check_json(value, field)
    except DataError as error:
        raise WireError(error.message[:200], field, place) from None


_READ: dict[int, Callable[[_Cursor], Data]] = {
    Video.wire_type: _video,
    Text.wire_type: _text,
    Control.wire_type: _control,
    Tensor.wire_type: _tensor,
    File.wire_type: _file,
}
