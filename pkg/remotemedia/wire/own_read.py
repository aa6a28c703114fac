"""Our form, reading: every length is checked before anything of that length is made."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from remotemedia.data import (
    Audio,
    Binary,
    Control,
    Data,
    File,
    Image,
    Json,
    Metadata,
    Packet,
    Tensor,
    Text,
    Video,
)
from remotemedia.data.base import unchecked
from remotemedia.data.formats import AUDIO_DTYPES, TENSOR_DTYPES, pixel_bytes
from remotemedia.errors import WireError
from remotemedia.wire import fields as f
from remotemedia.wire.frame import ALIGNMENT, OWN_FORM, EndOfInput
from remotemedia.wire.own_write import MAP_LEN, MAX_MAP, ZEROS, check_span
from remotemedia.wire.scan import is_tame, scan_map, scan_value

View = bytes | memoryview
TENSOR_TYPES = {str(dtype): dtype for dtype in TENSOR_DTYPES}

SMALL = 4096  # bytes of a value that is looked through apart, which takes a copy

_NIL = 0xC0
_BYTE = np.dtype(np.uint8)
_DECODE_VALUE = msgspec.msgpack.Decoder().decode
_DECODE_METADATA: Callable[[Any], Metadata] = msgspec.msgpack.Decoder(dict[str, object]).decode
_Builder = Callable[[Any, View, int, int], Data]
_make: Callable[..., Data] = unchecked  # every check of the constructors is made here, on the bytes


def read(view: View, code: int, timestamp_us: int, start: int) -> Packet | EndOfInput:
    """The packet in the payload that goes from `start` to the end of `view`.

    Raises
    ------
    WireError
        Names the field that is wrong, and where it starts.
    """
    end = len(view)
    base = start + MAP_LEN.size
    if base > end:
        raise WireError(f"cut short: {end - start} of 4 bytes", "map_len", start)
    map_len = MAP_LEN.unpack_from(view, start)[0]
    map_end = base + map_len
    if map_end > end:
        raise WireError(f"{map_len} bytes are not there, {end - base} are", "map_len", start)
    if map_len > MAX_MAP:
        raise WireError(f"{map_len} bytes, at most {MAX_MAP} are taken", "map_len", start)
    packed = bytes(view[base:map_end])
    number = code & ~OWN_FORM
    decode, opener, build, has_body = _TYPES[number]

    # All required keys are found and their number is right: so none is there twice, none is
    # unknown. Tame: so msgspec may see it. Any other map is looked through first.
    offsets: dict[str, int] | None = None
    if packed[:1] != opener or not is_tame(packed):
        offsets = scan_map(packed, base)
    try:
        fields = decode(packed)
    except ValueError as error:
        raise _explain(error, offsets or scan_map(packed, base), base) from None

    if has_body:
        body = (map_end + ALIGNMENT - 1) & -ALIGNMENT
        if body > end:
            raise WireError(
                f"cut short: {end - map_end} of {body - map_end} bytes", "padding", map_end
            )
        if view[map_end:body] != ZEROS[body - map_end]:
            raise WireError("not zero", "padding", map_end)
    elif map_end != end:
        raise WireError(f"{end - map_end} bytes after the map of a type without", "body", map_end)
    else:
        body = end

    if build is None:
        return EndOfInput(
            fields.node,
            fields.port,
            fields.sequence,
            fields.sub_sequence,
            timestamp_us,
            fields.generation,
        )
    opcode = memoryview(fields.metadata)[0]
    if opcode != _NIL:
        if offsets is None:
            _check_nested(fields.metadata, packed, base)
        if not (opcode & 0xF0 == 0x80 or opcode in (0xDE, 0xDF)):
            offsets = offsets or scan_map(packed, base)
            raise WireError("neither a map nor nil", "metadata", offsets["metadata"])
    if number in _WITH_VALUE and offsets is None:
        _check_nested(fields.value, packed, base)
    try:
        data = build(fields, view, body, end - body)
    except _FieldError as error:
        where = (offsets or scan_map(packed, base))[error.field]
        raise WireError(error.message, error.field, where) from None
    if opcode != _NIL:
        data = msgspec.structs.replace(data, metadata=_DECODE_METADATA(fields.metadata))
    return Packet(
        data,
        fields.node,
        fields.port,
        fields.sequence,
        fields.sub_sequence,
        timestamp_us,
        fields.generation,
    )


def _check_nested(value: msgspec.Raw, packed: bytes, base: int) -> None:
    """Look through one value of the map, or through all of it to find the place of an error."""
    if len(memoryview(value)) <= SMALL:
        try:
            scan_value(bytes(value), "")
        except WireError:
            pass  # said below, with its place in the frame
        else:
            return
    scan_map(packed, base)


def array_view(
    view: View, dtype: np.dtype[Any], shape: tuple[int, ...], start: int
) -> NDArray[Any]:
    """The array that lies at `start`, read-only and without a copy."""
    if type(view) is bytes:
        return np.ndarray(shape, dtype, view, start)
    # Not np.ndarray: it keeps the object under a memoryview alive, but not its memory in place. A
    # bytearray could then be resized, or shared memory unmapped, under the array.
    return np.frombuffer(view, dtype, math.prod(shape), start).reshape(shape)


def aligned(array: NDArray[Any]) -> NDArray[Any]:
    """`array` itself, or a read-only copy where its elements lie across machine words."""
    if array.flags.aligned:
        return array
    array = array.copy()
    array.setflags(write=False)
    return array


def check_booleans(values: NDArray[Any], offset: int, field: str) -> None:
    """Numpy assumes that a bool is 0 or 1 and computes nonsense with others."""
    if values.dtype == np.bool_ and values.size and values.view(np.uint8).max() > 1:
        raise WireError("a bool that is neither 0 nor 1", field, offset)


class _FieldError(Exception):
    """A value that contradicts another; where its field lies is looked up by `read`."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


def _explain(error: ValueError, offsets: dict[str, int], base: int) -> WireError:
    """The error for a map that is well formed, but not what its type needs."""
    message, _, path = str(error).partition(" - at `$.")
    if path:
        field = path.rstrip("`").partition("[")[0]
        return WireError(message[:200], field, offsets.get(field, base))
    missing = message.partition("required field `")[2].rstrip("`")
    return WireError("the key is missing" if missing else message[:200], missing or "map", base)


def _audio(fields: f.AudioFields, view: View, start: int, size: int) -> Audio:
    dtype = AUDIO_DTYPES[fields.format]
    channels = fields.channels
    frames, rest = divmod(size, channels * dtype.itemsize)
    if rest:
        raise WireError(
            f"{size} bytes are no whole number of {channels}-channel {fields.format} frames",
            "body",
            start,
        )
    samples = array_view(view, dtype, (channels, frames), start)
    if not samples.flags.aligned:
        samples = aligned(samples)
    return Audio.unchecked(samples, fields.sample_rate, fields.pts_us, fields.stream_id, None)


def _video(fields: f.VideoFields, view: View, start: int, size: int) -> Data:
    if (fields.pixel_format is None) == (fields.codec is None):
        raise _FieldError("codec", "a frame has either a pixel_format or a codec")
    _check_pixels(fields, start, size)
    return _make(
        Video,
        array_view(view, _BYTE, (size,), start),
        fields.width,
        fields.height,
        fields.pixel_format,
        fields.codec,
        fields.frame_number,
        fields.is_keyframe,
        fields.pts_us,
        fields.stream_id,
    )


def _text(fields: f.TextFields, view: View, start: int, size: int) -> Data:
    return _make(Text, fields.text, fields.channel, fields.pts_us, fields.stream_id)


def _control(fields: f.ControlFields, view: View, start: int, size: int) -> Data:
    return _make(
        Control,
        fields.message_type,
        _DECODE_VALUE(fields.value),
        fields.segment_id,
        fields.timestamp_ms,
        fields.pts_us,
        fields.stream_id,
    )


def _tensor(fields: f.TensorFields, view: View, start: int, size: int) -> Data:
    dtype = TENSOR_TYPES[fields.dtype]
    shape = tuple(fields.shape)
    needed = math.prod(shape) * dtype.itemsize
    if needed != size:
        raise WireError(f"{size} bytes, the shape needs {needed}", "body", start)
    if not size and not check_span(shape, dtype.itemsize):
        raise _FieldError("shape", "too long for an empty array")
    values = array_view(view, dtype, shape, start)
    check_booleans(values, start, "body")
    return _make(Tensor, aligned(values), fields.pts_us, fields.stream_id)


def _file(fields: f.FileFields, view: View, start: int, size: int) -> Data:
    if "\0" in fields.path:
        raise _FieldError("path", "a path has no NUL")
    return _make(
        File,
        fields.path,
        fields.filename,
        fields.mime_type,
        fields.size,
        fields.offset,
        fields.length,
        fields.pts_us,
        fields.stream_id,
    )


def _json(fields: f.JsonFields, view: View, start: int, size: int) -> Data:
    return _make(Json, _DECODE_VALUE(fields.value), fields.pts_us, fields.stream_id)


def _image(fields: f.ImageFields, view: View, start: int, size: int) -> Data:
    if (fields.format == "RAW") != (fields.pixel_format is not None):
        raise _FieldError("pixel_format", "belongs to format RAW, and only there")
    if fields.format == "RAW" and not (fields.width and fields.height):
        raise _FieldError("height" if fields.width else "width", "a raw picture has pixels")
    _check_pixels(fields, start, size)
    return _make(
        Image,
        bytes(view[start:]),
        fields.format,
        fields.width,
        fields.height,
        fields.pixel_format,
        fields.pts_us,
        fields.stream_id,
    )


def _binary(fields: f.BinaryFields, view: View, start: int, size: int) -> Data:
    return _make(Binary, bytes(view[start:]), fields.mime_type, fields.pts_us, fields.stream_id)


def _check_pixels(fields: f.VideoFields | f.ImageFields, start: int, size: int) -> None:
    if fields.pixel_format is None:
        return
    needed = pixel_bytes(fields.pixel_format, fields.width, fields.height)
    if needed != size:
        raise WireError(
            f"{size} bytes, {fields.width}x{fields.height} {fields.pixel_format} needs {needed}",
            "body",
            start,
        )


def _type(
    fields: type[f.PlaceFields], build: _Builder | None, has_body: bool
) -> tuple[Callable[[bytes], Any], bytes, _Builder | None, bool]:
    """Decoder of the map, its first byte when it has exactly the known keys, builder, body."""
    opener = bytes([0x80 | len(fields.__struct_fields__)])
    return msgspec.msgpack.Decoder(fields).decode, opener, build, has_body


_TYPES = {
    Audio.wire_type: _type(f.AudioFields, _audio, True),
    Video.wire_type: _type(f.VideoFields, _video, True),
    Text.wire_type: _type(f.TextFields, _text, False),
    Control.wire_type: _type(f.ControlFields, _control, False),
    Tensor.wire_type: _type(f.TensorFields, _tensor, True),
    File.wire_type: _type(f.FileFields, _file, False),
    8: _type(f.PlaceFields, None, False),
    Json.wire_type: _type(f.JsonFields, _json, False),
    Image.wire_type: _type(f.ImageFields, _image, True),
    Binary.wire_type: _type(f.BinaryFields, _binary, True),
}
_WITH_VALUE = frozenset({Control.wire_type, Json.wire_type})
