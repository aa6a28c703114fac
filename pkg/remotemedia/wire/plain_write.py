"""The plain form, writing: what the reference system reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from struct import Struct
from typing import Any

import msgspec
import numpy as np

from remotemedia.data import Audio, Control, File, Packet, Tensor, Text, Video
from remotemedia.data.audio import MAX_CHANNELS
from remotemedia.data.formats import AUDIO_FORMATS, PIXEL_FORMATS, VIDEO_CODECS
from remotemedia.data.json import check_json
from remotemedia.errors import DataError
from remotemedia.wire.frame import END_OF_INPUT, EndOfInput, unknown_type, write_head
from remotemedia.wire.own_write import Body, check_span

AUDIO_HEAD = Struct("<IHI")  # rate, channels, meta_len
VIDEO_HEAD = Struct("<IIBBQB")  # width, height, pixel format, codec, frame number, keyframe
ENCODED = 255  # the pixel format of an encoded frame
C_ORDER, F_ORDER = 1, 2  # flags of an array
MAX_TEXT = 0xFFFF  # bytes of a text with a u16 length
MAX_JSON = 2**20  # bytes of JSON, metadata and control messages; bounds what it can grow to

_USE_OURS = "use our form (plain=False)"


def write(item: Packet | EndOfInput, name: bytes) -> tuple[bytes, Body]:
    """Head (everything before the samples, pixels or elements) and the rest of a frame.

    Raises
    ------
    DataError
        For a value that the plain form cannot say.
    """
    if not isinstance(item, Packet):
        return write_head(END_OF_INPUT, name, item.timestamp_us, 0), b""
    data: Any = item.data
    to_payload = _TO_PAYLOAD.get(type(data))
    if to_payload is None:
        raise DataError(f"{unknown_type(data.wire_type)}: {_USE_OURS}")
    if data.metadata is not None and not isinstance(data, (Audio, Control)):
        kind = type(data).__name__
        raise DataError(f"{kind} carries no metadata in the plain form: {_USE_OURS}")
    start, body = to_payload(data)
    size = len(body) if isinstance(body, bytes) else body.nbytes
    head = write_head(data.wire_type, name, item.timestamp_us, len(start) + size)
    return head + start, body


def _audio(d: Audio) -> tuple[bytes, Body]:
    samples = d.samples
    if samples.dtype != np.float32:
        raise DataError(
            f"audio is F32 in the plain form, not {AUDIO_FORMATS[samples.dtype]}: {_USE_OURS}"
        )
    channels = samples.shape[0]
    if channels > MAX_CHANNELS:
        raise DataError(f"a frame has at most {MAX_CHANNELS} channels, not {channels}")
    meta = b""
    if d.metadata is not None:
        check_json(dict(d.metadata), "metadata")
        meta = _json(dict(d.metadata), "metadata")
    # Transposed, not copied: the caller's copy to its place interleaves.
    body = samples[0] if channels == 1 else samples.T
    return AUDIO_HEAD.pack(d.sample_rate, channels, len(meta)) + meta, body


def _video(d: Video) -> tuple[bytes, Body]:
    pixel_format: int | None = ENCODED
    if d.pixel_format is not None:
        pixel_format = PIXEL_FORMATS[d.pixel_format]
        if pixel_format is None:
            raise DataError(f"{d.pixel_format} has no number in the plain form: {_USE_OURS}")
    codec = VIDEO_CODECS[d.codec] if d.codec is not None else 0
    for name, value in (("width", d.width), ("height", d.height)):
        if value >= 2**32:
            raise DataError(f"{name} {value} does not fit the plain form: {_USE_OURS}")
    start = VIDEO_HEAD.pack(
        d.width, d.height, pixel_format, codec, d.frame_number, bool(d.is_keyframe)
    )
    return start, d.pixels


def _text(d: Text) -> tuple[bytes, Body]:
    text = _utf8(d.text, "text")
    if d.channel == "tts" and not text.startswith(b"\0"):
        return b"", text
    channel = _utf8(d.channel, "channel")
    if len(channel) > 255:
        raise DataError(f"a channel has at most 255 bytes in the plain form: {_USE_OURS}")
    return bytes((0, len(channel))) + channel, text


def _control(d: Control) -> tuple[bytes, Body]:
    tagged: dict[str, object] = {"type": d.message_type}
    if d.value is not None:
        if not isinstance(d.value, dict) or not d.value or "type" in d.value:
            raise DataError(
                "the value of a plain control message is None, or a non-empty dict without the "
                f"key 'type': {_USE_OURS}"
            )
        tagged |= d.value
    message = {
        "message_type": tagged,
        "segment_id": d.segment_id,
        "timestamp_ms": int(d.timestamp_ms),
        "metadata": None if d.metadata is None else dict(d.metadata),
    }
    for part, value in message.items():
        check_json(value, part)
    return b"", _json(message, "message")


def _tensor(d: Tensor) -> tuple[bytes, Body]:
    values = d.values
    shape, ndim = values.shape, values.ndim
    if not values.size and not check_span(shape, values.itemsize):
        raise DataError(f"an empty tensor of shape {shape} cannot be read everywhere")
    dtype = str(values.dtype).encode()
    flags = C_ORDER | (F_ORDER if values.flags.f_contiguous else 0)
    start = Struct(f"<H{ndim}QH{ndim}qH").pack(
        ndim, *shape, ndim, *c_strides(shape, values.itemsize), len(dtype)
    )
    return start + dtype + bytes((flags,)), values


def _file(d: File) -> tuple[bytes, Body]:
    parts = [
        _short(d.path, "path"),
        _optional(d.filename, "filename"),
        _optional(d.mime_type, "mime_type"),
    ]
    for name in ("size", "offset", "length"):
        number = getattr(d, name)
        if number == 0 and name != "offset":  # an offset of 0 is no loss: the start, as none is
            raise DataError(f"a {name} of 0 means none in the plain form: {_USE_OURS}")
        parts.append(int(number or 0).to_bytes(8, "little"))
    parts.append(_optional(d.stream_id, "stream_id"))
    return b"".join(parts), b""


def c_strides(shape: tuple[int, ...], itemsize: int) -> list[int]:
    """Strides of a C-contiguous array, in bytes. (numpy's own are arbitrary for empty ones.)"""
    strides = []
    step = itemsize
    for side in reversed(shape):
        strides.append(step)
        step *= side
    return strides[::-1]


def _optional(value: str | None, name: str) -> bytes:
    if value == "":
        raise DataError(f"an empty {name} means none in the plain form: {_USE_OURS}")
    return _short(value or "", name)


def _short(value: str, name: str) -> bytes:
    text = _utf8(value, name)
    if len(text) > MAX_TEXT:
        raise DataError(f"{name} has at most {MAX_TEXT} bytes in the plain form, not {len(text)}")
    return len(text).to_bytes(2, "little") + text


def _utf8(value: str, name: str) -> bytes:
    try:
        return value.encode()
    except UnicodeEncodeError as error:
        raise DataError(f"{name} is not valid Unicode: {error}") from None


def _json(value: Mapping[str, object], name: str) -> bytes:
    """JSON of a value that `check_json` has passed."""
    text = msgspec.json.encode(value)
    if len(text) > MAX_JSON:
        raise DataError(
            f"{name} has at most {MAX_JSON} bytes in the plain form, not {len(text)}: {_USE_OURS}"
        )
    return text


_TO_PAYLOAD: dict[type, Callable[[Any], tuple[bytes, Body]]] = {
    Audio: _audio,
    Video: _video,
    Text: _text,
    Control: _control,
    Tensor: _tensor,
    File: _file,
}
