"""Layout of a recording: little-endian, records that start at multiples of 8 bytes."""

from __future__ import annotations

from struct import Struct

import msgspec

from remotemedia.wire import MAX_FRAME

MAGIC = b"\x89RMREC\r\n"  # a transfer as text, which changes line ends, destroys it
VERSION = 1
START = Struct("<8sII")  # magic, version, 0
CHECK = Struct("<I")  # CRC-32 of all that follows: place and body
PLACE = Struct("<IqB7x")  # length of the body, time in µs from the start, kind
RECORD = CHECK.size + PLACE.size
MARK = Struct("<Q")  # generation; the node that an interrupt began at follows, in UTF-8
POINT = Struct("<qQ")  # time and offset of a record, in the index
END = Struct("<Q8s")  # offset of the index, `END_MAGIC`: the last bytes of a whole file
END_MAGIC = b"RMRECEND"

ALIGNMENT = 8  # bytes: then samples are read in place
MAX_BODY = MAX_FRAME  # bytes of one record
MAX_HEADER = 4 * 2**20  # bytes of the first one

HEADER, SENT, RECEIVED, TAPPED, INTERRUPTED, FINISHED, CLOSED, INDEX = range(8)
FRAMES = frozenset({SENT, RECEIVED, TAPPED})
MARKS = frozenset({INTERRUPTED, FINISHED, CLOSED})


class Header(msgspec.Struct, frozen=True):
    """What the first record of each file says.

    Attributes
    ----------
    manifest : str
        The manifest, as JSON; empty if there is none.
    session : str
        Name of the session.
    wall_us : int
        When it was started, µs of UTC. All times of records count from there.
    part : int
        Number of the file, from 0, among those of one recording.
    remotemedia, python : str
        The versions that wrote it.
    clock : str
        Class of the session clock. On a `VirtualClock` computing takes no time.
    """

    manifest: str
    session: str
    wall_us: int
    part: int
    remotemedia: str
    python: str
    clock: str


def padding(size: int) -> int:
    """Bytes from a record of that size to the next one."""
    return -size % ALIGNMENT
