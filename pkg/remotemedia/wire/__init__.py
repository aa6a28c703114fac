"""The wire: one codec for shared memory, Worker messages, sockets and recordings.

Little-endian, both forms behind the same head::

    u8 type | u16 session_len | session utf-8 | u64 timestamp_us | u32 payload_len | payload

*Our form* has the bit 0x80 set in its type, and keeps everything::

    u32 map_len | msgpack map | zero padding | body

The body is the raw samples (planar), pixels, elements or bytes; it starts at a multiple of 64
from the first byte of the frame. Types without a body end with the map. The map has, in this
order, ``node port sequence sub_sequence generation``, then for data ``pts_us stream_id metadata``,
then the fields of the type as `remotemedia.wire.fields` lists them. That order, each key once,
each number and string in its shortest msgpack form, is what makes a frame *canonical*, and what
`encode` writes. A reader takes any order; a missing or repeated key is an error; an unknown key is
left alone, so that a later version can add one.

*The plain form* is that of the reference system: always read, written on request. Every way in
which it says less is an error on writing, or listed at `encode_parts`.

``docs/design/wire.md`` has the layouts and the reasons.
"""

from __future__ import annotations

from remotemedia.wire.codec import (
    decode,
    encode,
    encode_into,
    encode_parts,
    encoded_size,
    parts_size,
    peek,
    write_parts,
)
from remotemedia.wire.frame import MAX_FRAME, EndOfInput, FrameHeader
from remotemedia.wire.stream import FrameReader, split

__all__ = [
    "MAX_FRAME",
    "EndOfInput",
    "FrameHeader",
    "FrameReader",
    "decode",
    "encode",
    "encode_into",
    "encode_parts",
    "encoded_size",
    "parts_size",
    "peek",
    "split",
    "write_parts",
]
