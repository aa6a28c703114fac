"""Our form, writing: ``u32 map_len | msgpack map | zero padding | body``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from struct import Struct
from typing import Any

import msgspec
from msgspec import Raw
from numpy.typing import NDArray

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
from remotemedia.data.audio import MAX_CHANNELS
from remotemedia.data.formats import AUDIO_FORMATS
from remotemedia.data.json import check_json
from remotemedia.errors import DataError
from remotemedia.wire import fields as f
from remotemedia.wire.frame import (
    ALIGNMENT,
    END_OF_INPUT,
    HEAD_SIZE,
    OWN_FORM,
    EndOfInput,
    write_head,
)

MAP_LEN = Struct("<I")
MAX_MAP = 16 * 2**20  # bytes; bounds what nested values can grow to when they are decoded
MAX_SPAN = 2**31 - 1  # bytes that an empty array's other sides may span: what wasm32 can count
ZEROS = tuple(bytes(n) for n in range(ALIGNMENT))

Body = NDArray[Any] | bytes
"""What follows the head: bytes, or an array (in the plain form maybe a transposed view)."""

_NIL = Raw(b"\xc0")


_ENCODE = msgspec.msgpack.Encoder().encode


def write(item: Packet | EndOfInput, name: bytes) -> tuple[bytes, Body]:
    """Head (everything before the body, padding included) and body of a frame.

    Raises
    ------
    DataError
        For a value that has no form on the wire.
    """
    fields: f.PlaceFields
    body: Body | None = None
    if isinstance(item, Packet):
        data = item.data
        to_fields = _TO_FIELDS.get(type(data))
        if to_fields is None:
            raise DataError(f"a packet holds data, not {type(data).__name__}")
        code = data.wire_type
        fields, body = to_fields(item, data)
    else:
        code = END_OF_INPUT
        fields = f.PlaceFields(
            item.node, item.port, item.sequence, item.sub_sequence, item.generation
        )
    # The bits of all: negative when one of them is, beyond 63 bits when one of them is.
    if not 0 <= (item.sequence | item.sub_sequence | item.generation) <= f.MAX_INT:
        raise DataError(
            "sequence, sub_sequence and generation must be 0 to 2**63 - 1, not "
            f"{item.sequence}, {item.sub_sequence} and {item.generation}"
        )
    try:
        packed = _ENCODE(fields)
    except (ValueError, OverflowError, TypeError) as error:
        raise DataError(f"the fields have no form on the wire: {error}") from error
    map_len = len(packed)
    if map_len > MAX_MAP:
        raise DataError(
            f"the fields of a frame have at most {MAX_MAP} bytes, not {map_len}: "
            "send a large value in parts, or as Binary"
        )
    if body is None:
        head = write_head(code | OWN_FORM, name, item.timestamp_us, 4 + map_len)
        return head + MAP_LEN.pack(map_len) + packed, b""
    gap = -(HEAD_SIZE + len(name) + 4 + map_len) % ALIGNMENT
    size = len(body) if isinstance(body, bytes) else body.nbytes
    head = write_head(code | OWN_FORM, name, item.timestamp_us, 4 + map_len + gap + size)
    return head + MAP_LEN.pack(map_len) + packed + ZEROS[gap], body


def check_span(shape: tuple[int, ...] | list[int], itemsize: int) -> bool:
    """False for an empty array whose other sides are too long for some platform to count."""
    span = itemsize
    for side in shape:
        span *= side or 1
    return span <= MAX_SPAN


def _value(value: object, name: str) -> Raw:
    """A JSON-like value, packed."""
    check_json(value, name)  # again: it may have been changed since
    return Raw(_ENCODE(value))


def _metadata(metadata: Mapping[str, object] | None) -> Raw:
    return _NIL if metadata is None else _value(dict(metadata), "metadata")


def _audio(p: Packet, d: Audio) -> tuple[f.AudioFields, Body]:
    samples = d.samples
    channels = samples.shape[0]
    if channels > MAX_CHANNELS:
        raise DataError(f"a frame has at most {MAX_CHANNELS} channels, not {channels}")
    fields = f.AudioFields(
        p.node,
        p.port,
        p.sequence,
        p.sub_sequence,
        p.generation,
        d.pts_us,
        d.stream_id,
        _NIL if d.metadata is None else _metadata(d.metadata),
        d.sample_rate,
        channels,
        AUDIO_FORMATS[samples.dtype],  # type: ignore[arg-type]
    )
    return fields, samples


def _common(p: Packet, d: Any) -> tuple[str, str, int, int, int, int | None, str | None, Raw]:
    """Values of `CommonFields`."""
    return (
        p.node,
        p.port,
        p.sequence,
        p.sub_sequence,
        p.generation,
        d.pts_us,
        d.stream_id,
        _metadata(d.metadata),
    )


def _video(p: Packet, d: Video) -> tuple[f.VideoFields, Body]:
    kind: Any = (d.width, d.height, d.pixel_format, d.codec, d.frame_number, d.is_keyframe)
    return f.VideoFields(*_common(p, d), *kind), d.pixels


def _text(p: Packet, d: Text) -> tuple[f.TextFields, None]:
    return f.TextFields(*_common(p, d), d.text, d.channel), None


def _control(p: Packet, d: Control) -> tuple[f.ControlFields, None]:
    value = _value(d.value, "value")
    fields = f.ControlFields(*_common(p, d), d.message_type, value, d.segment_id, d.timestamp_ms)
    return fields, None


def _tensor(p: Packet, d: Tensor) -> tuple[f.TensorFields, Body]:
    values = d.values
    if not values.size and not check_span(values.shape, values.itemsize):
        raise DataError(f"an empty tensor of shape {values.shape} cannot be read everywhere")
    dtype: Any = str(values.dtype)
    return f.TensorFields(*_common(p, d), dtype, list(values.shape)), values


def _file(p: Packet, d: File) -> tuple[f.FileFields, None]:
    part = (d.size, d.offset, d.length)
    return f.FileFields(*_common(p, d), d.path, d.filename, d.mime_type, *part), None


def _json(p: Packet, d: Json) -> tuple[f.JsonFields, None]:
    return f.JsonFields(*_common(p, d), _value(d.value, "value")), None


def _image(p: Packet, d: Image) -> tuple[f.ImageFields, Body]:
    kind: Any = (d.format, d.width, d.height, d.pixel_format)
    return f.ImageFields(*_common(p, d), *kind), d.content


def _binary(p: Packet, d: Binary) -> tuple[f.BinaryFields, Body]:
    return f.BinaryFields(*_common(p, d), d.mime_type), d.content


_TO_FIELDS: dict[type, Callable[[Packet, Any], tuple[f.CommonFields, Body | None]]] = {
    Audio: _audio,
    Video: _video,
    Text: _text,
    Control: _control,
    Tensor: _tensor,
    File: _file,
    Json: _json,
    Image: _image,
    Binary: _binary,
}
