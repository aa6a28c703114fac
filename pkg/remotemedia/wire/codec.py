"""Frames in and out, in both forms."""

from __future__ import annotations

import numpy as np

from remotemedia.data import Packet
from remotemedia.data.audio import MAX_SAMPLE_RATE
from remotemedia.errors import DataError, WireError
from remotemedia.wire import own_read, own_write, plain_read, plain_write
from remotemedia.wire.frame import (
    OWN_FORM,
    Buffer,
    EndOfInput,
    FrameHeader,
    read_head,
    read_only,
    session_name,
)
from remotemedia.wire.own_write import Body


def encode_parts(
    item: Packet | EndOfInput, session: str = "", *, plain: bool = False
) -> tuple[bytes, Body]:
    """A frame in two parts, nothing large copied yet.

    For writers that have to ask for a place of the right size first: the frame has
    ``parts_size(parts)`` bytes, and `write_parts` puts it there.

    Parameters
    ----------
    item : Packet or EndOfInput
        What to send. `timestamp_us` becomes the frame's.
    session : str
        Name of the session, at most 65,535 bytes of UTF-8.
    plain : bool
        Write what the reference system reads. It has no place for node, port, sequence,
        sub_sequence, generation, pts_us and stream_id (only File has the last): they stay behind.

    Returns
    -------
    head : bytes
        Everything before the body, padding included.
    body : bytes or np.ndarray
        In the plain form the array may be a transposed view.

    Raises
    ------
    DataError
        For a value that has no place in the form; it says which form has one.
    """
    name = session_name(session) if session else b""
    return plain_write.write(item, name) if plain else own_write.write(item, name)


def parts_size(parts: tuple[bytes, Body]) -> int:
    """Size of a frame from `encode_parts`, in bytes."""
    head, body = parts
    return len(head) + (len(body) if isinstance(body, bytes) else body.nbytes)


def write_parts(parts: tuple[bytes, Body], buffer: Buffer) -> int:
    """Write a frame from `encode_parts` to the start of `buffer`; the samples are copied once.

    Returns
    -------
    int
        Bytes written.

    Raises
    ------
    DataError
        When `buffer` is read-only or too small; nothing has been written then.
    """
    head, body = parts
    size = parts_size(parts)
    view = memoryview(buffer)
    if view.readonly:
        raise DataError("the buffer to write a frame to is read-only")
    if view.nbytes < size:
        raise DataError(f"the frame has {size} bytes, the buffer {view.nbytes}")
    view = view.cast("B")
    start = len(head)
    view[:start] = head
    if isinstance(body, bytes):
        view[start:size] = body
    else:
        np.copyto(np.ndarray(body.shape, body.dtype, view, start), body)
    return size


def encode(item: Packet | EndOfInput, session: str = "", *, plain: bool = False) -> bytes:
    """The frame of a packet. Parameters and errors as in `encode_parts`."""
    head, body = encode_parts(item, session, plain=plain)
    if isinstance(body, bytes):
        return head + body
    if not body.flags.c_contiguous:
        body = np.ascontiguousarray(body)
    return b"".join((head, body.data))


def encode_into(
    buffer: Buffer, item: Packet | EndOfInput, session: str = "", *, plain: bool = False
) -> int:
    """Write the frame of a packet to the start of `buffer`, and say how many bytes it took.

    Where the body has to be aligned, `buffer` starts at a multiple of 64. Errors as in
    `encode_parts` and `write_parts`.
    """
    return write_parts(encode_parts(item, session, plain=plain), buffer)


def encoded_size(item: Packet | EndOfInput, session: str = "", *, plain: bool = False) -> int:
    """Size of the frame of a packet, in bytes. Errors as in `encode_parts`."""
    return parts_size(encode_parts(item, session, plain=plain))


def decode(
    buffer: Buffer, *, bare_audio_rate: int | None = None
) -> tuple[str, int, Packet | EndOfInput]:
    """Read one frame, in either form.

    Parameters
    ----------
    buffer : bytes-like
        Exactly one frame. Arrays of our form become read-only views of it, without a copy; only
        where its address makes elements unaligned are they copied. A view shows later writes to a
        buffer that is not `bytes`: keep the buffer still for as long as the packet lives.
    bare_audio_rate : int, optional
        Also read the oldest plain audio (mono samples and nothing else), at this rate, Hz.

    Returns
    -------
    session : str
    timestamp_us : int
        When the packet entered the session, µs of UTC.
    item : Packet or EndOfInput
        From the plain form, with an empty node and port.

    Raises
    ------
    WireError
        For bytes that are not one valid frame: names the field, and its offset. Until then no more
        is allocated than the frame has bytes (four times that for text outside ASCII).
    """
    view = buffer if type(buffer) is bytes else read_only(buffer)
    code, session, timestamp_us, start, payload_len = read_head(view)
    here = len(view) - start
    if here != payload_len:
        fault = "cut short" if here < payload_len else "bytes after the frame"
        raise WireError(
            f"{fault}: {payload_len} announced, {here} are there", "payload_len", start - 4
        )
    if code & OWN_FORM:
        return session, timestamp_us, own_read.read(view, code, timestamp_us, start)
    if bare_audio_rate is not None and not 0 < bare_audio_rate <= MAX_SAMPLE_RATE:
        raise DataError(f"bare_audio_rate must be 1 to {MAX_SAMPLE_RATE} Hz, not {bare_audio_rate}")
    item = plain_read.read(view, code, timestamp_us, start, bare_audio_rate)
    return session, timestamp_us, item


def peek(buffer: Buffer) -> FrameHeader:
    """Read the head of a frame; its payload need not be there, and is not looked at.

    Raises
    ------
    WireError
        When the head is cut, of unknown type, or not UTF-8.
    """
    code, session, timestamp_us, start, payload_len = read_head(read_only(buffer))
    plain = not code & OWN_FORM
    return FrameHeader(code & ~OWN_FORM, plain, session, timestamp_us, start, payload_len)
