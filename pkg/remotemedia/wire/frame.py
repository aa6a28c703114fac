"""The frame that a packet crosses borders in: its head, its limits, the end-of-input marker."""

from __future__ import annotations

from struct import Struct

import msgspec

from remotemedia.data import BY_WIRE_TYPE
from remotemedia.errors import DataError, WireError

OWN_FORM = 0x80  # this bit of the type byte says: our form
END_OF_INPUT = 8
CODES = frozenset({*BY_WIRE_TYPE, END_OF_INPUT})
PLAIN_CODES = frozenset({1, 2, 3, 5, 6, 7, END_OF_INPUT})
TYPE_BYTES = PLAIN_CODES | {code | OWN_FORM for code in CODES}

ALIGNMENT = 64  # bytes: the widest vector load, and a cache line
HEAD_SIZE = 15  # of a frame without a session name
MAX_SESSION = 0xFFFF  # bytes of UTF-8
MAX_PAYLOAD = 0xFFFF_FFFF
MAX_TIMESTAMP = 0xFFFF_FFFF_FFFF_FFFF
MAX_FRAME = 64 * 2**20  # default limit of what is taken from a stream

START = Struct("<BH")  # type, session_len
REST = Struct("<QI")  # timestamp_us, payload_len

Buffer = bytes | bytearray | memoryview
"""What frames are read from and written to; a memoryview opens everything else."""


class EndOfInput(msgspec.Struct, frozen=True, gc=False):
    """A mark on the wire: no more packets come on this port. Not data; no node sees it.

    Attributes
    ----------
    node, port, sequence, sub_sequence, timestamp_us, generation
        As in `Packet`. The plain form carries the time stamp alone.
    """

    node: str = ""
    port: str = ""
    sequence: int = 0
    sub_sequence: int = 0
    timestamp_us: int = 0
    generation: int = 0


class FrameHeader(msgspec.Struct, frozen=True, gc=False):
    """What the first bytes of a frame say.

    Attributes
    ----------
    code : int
        Number of the data type, `EndOfInput` being 8.
    plain : bool
        True for the plain form, False for ours.
    session : str
        Name of the session.
    timestamp_us : int
        When the packet entered the session, µs of UTC.
    payload_offset, payload_len : int
        Where the payload lies, in bytes from the start of the frame.
    """

    code: int
    plain: bool
    session: str
    timestamp_us: int
    payload_offset: int
    payload_len: int

    @property
    def size(self) -> int:
        """Size of the whole frame, in bytes."""
        return self.payload_offset + self.payload_len


def read_only(buffer: Buffer) -> bytes | memoryview:
    """`buffer` as bytes that nobody can write through: itself, or a view."""
    if type(buffer) is bytes:
        return buffer
    view = memoryview(buffer)
    if view.ndim != 1 or view.format != "B":
        view = view.cast("B")
    return view.toreadonly()


def read_head(view: bytes | memoryview) -> tuple[int, str, int, int, int]:
    """Read a head; the payload itself need not be there yet.

    Returns
    -------
    tuple of (int, str, int, int, int)
        Type byte, session, timestamp_us, payload offset, payload length.

    Raises
    ------
    WireError
        For an unknown type, a session name that is not UTF-8, or a head that is cut.
    """
    size = len(view)
    if size == 0:
        raise WireError("the frame is empty", "type", 0)
    code = view[0]
    if code not in TYPE_BYTES:
        raise WireError(unknown_type(code), "type", 0)
    if size < HEAD_SIZE:
        raise _cut(view)
    session_len = START.unpack_from(view)[1]
    payload = HEAD_SIZE + session_len
    if size < payload:
        raise _cut(view)
    timestamp_us, payload_len = REST.unpack_from(view, 3 + session_len)
    if not session_len:
        return code, "", timestamp_us, payload, payload_len
    try:
        session = str(view[3 : 3 + session_len], "utf-8")
    except UnicodeDecodeError as error:
        raise WireError(f"not UTF-8: {error.reason}", "session", 3 + error.start) from None
    return code, session, timestamp_us, payload, payload_len


def session_name(session: str) -> bytes:
    """The name as it stands in a frame."""
    try:
        name = session.encode()
    except UnicodeEncodeError as error:
        raise DataError(f"session is not valid Unicode: {error}") from None
    if len(name) > MAX_SESSION:
        raise DataError(f"a session name has at most {MAX_SESSION} bytes, not {len(name)}")
    return name


def write_head(code: int, name: bytes, timestamp_us: int, payload_len: int) -> bytes:
    """The first `HEAD_SIZE` + `len(name)` bytes of a frame."""
    if not 0 <= timestamp_us <= MAX_TIMESTAMP:
        raise DataError(f"timestamp_us must be 0 to 2**64 - 1, not {timestamp_us}")
    if payload_len > MAX_PAYLOAD:
        raise DataError(
            f"a payload has at most {MAX_PAYLOAD} bytes, not {payload_len}: send it in parts"
        )
    return START.pack(code, len(name)) + name + REST.pack(timestamp_us, payload_len)


def unknown_type(code: int) -> str:
    """Why a type byte is not taken."""
    kind = BY_WIRE_TYPE.get(code)
    if kind is not None:
        return f"{kind.__name__} has no plain form; its type byte is 0x{code | OWN_FORM:02X}"
    return f"no frame has type 0x{code:02X}"


def _cut(view: bytes | memoryview) -> WireError:
    """The error for a head that ends too early: names the field that the end falls into."""
    size = len(view)
    session_len = START.unpack_from(view)[1] if size >= START.size else 0
    ends = (
        ("type", 0, 1),
        ("session_len", 1, 3),
        ("session", 3, 3 + session_len),
        ("timestamp_us", 3 + session_len, 11 + session_len),
        ("payload_len", 11 + session_len, 15 + session_len),
    )
    field, start, end = next(each for each in ends if size < each[2])
    return WireError(f"cut short: {size - start} of {end - start} bytes", field, start)
