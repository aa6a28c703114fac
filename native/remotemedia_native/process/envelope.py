"""Envelope: 64 bytes in front of what crosses, that say what it is and by which route it goes.

What is sent most, audio without metadata, needs nothing but the envelope and its samples; anything
else is a wire frame behind it. Both ends are of one session and one version: it is no format to be
stored, or to be read by others.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import Any

import numpy as np
from msgspec import StructMeta

from remotemedia.data import Audio, Packet
from remotemedia.data.formats import AUDIO_DTYPES
from remotemedia.wire import decode, encode_parts, parts_size, write_parts
from remotemedia_native.shm.base import Bytes, Writer

SIZE = 64
FRAME, AUDIO, END, FINISH, TAPPED = range(5)
"""What follows: a wire frame, samples; nothing: a route has ended, the client has finished; a wire
frame that is only shown."""

_HEAD = Struct("<BBHIIIqqqqq8x")
_NO_PTS = -(2**63)
_pack: Callable[..., bytes] = _HEAD.pack
_make: Callable[..., Audio] = StructMeta.__call__  # unchecked: it was checked where it comes from
_DTYPES: list[np.dtype[Any]] = list(dict.fromkeys(AUDIO_DTYPES.values()))
_CODES = {dtype: code for code, dtype in enumerate(_DTYPES)}
_NOTHING = memoryview(b"")

unpack: Callable[..., tuple[int, ...]] = _HEAD.unpack_from
"""The fields of the envelope of a message, from an offset (0) on: form, format, route, channels,
sample rate, frames, sequence, sub-sequence, generation, and the times of the packet and of its
presentation."""


def send(writer: Writer, readers: int, route: int, packet: Packet) -> bool:
    """Send a packet to the readers of a mask; False if its topic has no room for it now.

    Raises
    ------
    MessageTooLargeError, SharedMemoryFullError
        See `Writer.loan`.
    DataError
        It has no form on the wire.
    """
    data = packet.data
    if data.__class__ is Audio and data.metadata is None and data.stream_id is None:
        return send_audio(
            writer,
            readers,
            route,
            data,
            packet.sequence,
            packet.sub_sequence,
            packet.generation,
            packet.timestamp_us,
        )
    return _send_frame(writer, readers, FRAME, route, packet)


def send_audio(
    writer: Writer,
    readers: int,
    route: int,
    data: Audio,
    sequence: int,
    number: int,
    generation: int,
    sent_us: int,
) -> bool:
    """Send audio that has no metadata and is of no named stream; as `send`."""
    samples, pts = data.samples, data.pts_us
    channels, frames = samples.shape
    head = _pack(
        AUDIO,
        _CODES[samples.dtype],
        route,
        channels,
        data.sample_rate,
        frames,
        sequence,
        number,
        generation,
        sent_us,
        _NO_PTS if pts is None else pts,
    )
    body = samples.data.cast("B") if frames and channels else _NOTHING
    return writer.send(readers, head, body) >= 0


def send_tapped(writer: Writer, readers: int, route: int, packet: Packet) -> bool:
    """Send a packet that is shown to somebody."""
    return _send_frame(writer, readers, TAPPED, route, packet)


def send_mark(writer: Writer, readers: int, form: int, route: int = 0) -> bool:
    """Send that a route has ended, or all that the client sends."""
    return writer.send(readers, _plain_head(form, route), _NOTHING) >= 0


def read(view: Bytes, places: list[tuple[str, str]]) -> tuple[int, int, Packet | None]:
    """What a message is: its form, its route, and its packet if it has one.

    Parameters
    ----------
    view : ndarray
        The message; arrays are views of it.
    places : list of (str, str)
        Of each route the node and port that its packets come from.
    """
    head = unpack(view, 0)
    form, route = head[0], head[2]
    if form == AUDIO:
        return form, route, audio_packet(head, view, *places[route])
    if form in (FRAME, TAPPED):
        _, _, item = decode(view.data[SIZE:])
        if isinstance(item, Packet):
            return form, route, item
    return form, route, None


def audio_packet(head: tuple[int, ...], view: Bytes, node: str, port: str) -> Packet:
    """The packet of a message whose form is `AUDIO`; its samples are a view of the message.

    Real-time path.
    """
    _, code, _, channels, rate, frames, sequence, number, generation, sent_us, pts = head
    samples = np.ndarray((channels, frames), _DTYPES[code], view, SIZE)
    data = _make(Audio, samples, rate, None if pts == _NO_PTS else pts)
    return Packet(data, node, port, sequence, number, sent_us, generation)


def _send_frame(writer: Writer, readers: int, form: int, route: int, packet: Packet) -> bool:
    parts = encode_parts(packet)
    loan = writer.loan(SIZE + parts_size(parts))
    if loan is None:
        return False
    try:
        memory = loan.data
        memory[:SIZE] = _plain_head(form, route)
        write_parts(parts, memory[SIZE:])
    except BaseException:
        writer.discard()
        raise
    writer.commit(readers)
    return True


def _plain_head(form: int, route: int) -> bytes:
    return _pack(form, 0, route, 0, 0, 0, 0, 0, 0, 0, _NO_PTS)
