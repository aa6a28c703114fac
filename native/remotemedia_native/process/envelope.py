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

_HEAD = Struct("<BBHIIIqqqqq")
_NO_PTS = -(2**63)
_pack: Callable[..., None] = _HEAD.pack_into
_unpack: Callable[..., tuple[int, ...]] = _HEAD.unpack_from
_make: Callable[..., Audio] = StructMeta.__call__  # unchecked: it was checked where it comes from
_DTYPES: list[np.dtype[Any]] = list(dict.fromkeys(AUDIO_DTYPES.values()))
_CODES = {dtype: code for code, dtype in enumerate(_DTYPES)}


def write(writer: Writer, route: int, packet: Packet) -> bool:
    """Write a packet into a loan of its topic; False if there is no room for it now.

    Raises
    ------
    MessageTooLargeError, SharedMemoryFullError
        See `Writer.loan`.
    DataError
        It has no form on the wire.
    """
    data = packet.data
    if data.__class__ is Audio and data.metadata is None and data.stream_id is None:
        return write_audio(
            writer,
            route,
            data,
            packet.sequence,
            packet.sub_sequence,
            packet.generation,
            packet.timestamp_us,
        )
    return _write_frame(writer, FRAME, route, packet)


def write_audio(
    writer: Writer,
    route: int,
    data: Audio,
    sequence: int,
    number: int,
    generation: int,
    sent_us: int,
) -> bool:
    """Write audio that has no metadata and is of no named stream; as `write`."""
    samples = data.samples
    loan = writer.loan(SIZE + samples.nbytes)
    if loan is None:
        return False
    channels, frames = samples.shape
    pts = data.pts_us
    memory = loan.data
    _pack(
        memory,
        0,
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
    if frames and channels:
        memory[SIZE:] = samples.data.cast("B")
    return True


def write_tapped(writer: Writer, route: int, packet: Packet) -> bool:
    """Write a packet that is shown to somebody."""
    return _write_frame(writer, TAPPED, route, packet)


def write_mark(writer: Writer, form: int, route: int = 0) -> bool:
    """Write that a route has ended, or all that the client sends."""
    loan = writer.loan(SIZE)
    if loan is None:
        return False
    _HEAD.pack_into(loan.data, 0, form, 0, route, 0, 0, 0, 0, 0, 0, 0, _NO_PTS)
    return True


def read(view: Bytes, places: list[tuple[str, str]]) -> tuple[int, int, Packet | None]:
    """What a message is: its form, its route, and its packet if it has one.

    Parameters
    ----------
    view : ndarray
        The message; arrays are views of it.
    places : list of (str, str)
        Of each route the node and port that its packets come from.
    """
    form, code, route, channels, rate, frames, sequence, number, generation, sent_us, pts = _unpack(
        view, 0
    )
    if form == AUDIO:
        samples = np.ndarray((channels, frames), _DTYPES[code], view, SIZE)
        data = _make(Audio, samples, rate, None if pts == _NO_PTS else pts)
        node, port = places[route]
        return form, route, Packet(data, node, port, sequence, number, sent_us, generation)
    if form in (FRAME, TAPPED):
        _, _, item = decode(view.data[SIZE:])
        if isinstance(item, Packet):
            return form, route, item
    return form, route, None


def _write_frame(writer: Writer, form: int, route: int, packet: Packet) -> bool:
    parts = encode_parts(packet)
    loan = writer.loan(SIZE + parts_size(parts))
    if loan is None:
        return False
    try:
        _HEAD.pack_into(loan.data, 0, form, 0, route, 0, 0, 0, 0, 0, 0, 0, _NO_PTS)
        write_parts(parts, loan.data[SIZE:])
    except BaseException:
        writer.discard()
        raise
    return True
