"""Building blocks of frames, and the two lists of the index."""

from __future__ import annotations

import struct
from pathlib import Path

import msgpack

HERE = Path(__file__).parent
CODES = {
    "audio": 1,
    "video": 2,
    "text": 3,
    "control": 5,
    "tensor": 6,
    "file": 7,
    "end_of_input": 8,
    "json": 9,
    "image": 10,
    "binary": 11,
}
WITH_BODY = {"audio", "video", "tensor", "image", "binary"}
LETTERS = {
    "F32": "f",
    "I16": "h",
    "I32": "i",
    "U8": "B",
    "bool": "?",
    "int8": "b",
    "int16": "h",
    "int32": "i",
    "int64": "q",
    "uint8": "B",
    "uint16": "H",
    "uint32": "I",
    "uint64": "Q",
    "float16": "e",
    "float32": "f",
    "float64": "d",
}
PLACE = {"node": "mic", "port": "out", "sequence": 7, "sub_sequence": 1, "generation": 2}
NOWHERE = {"node": "", "port": "", "sequence": 0, "sub_sequence": 0, "generation": 0}
COMMON = {"pts_us": None, "stream_id": None, "metadata": None}
NOW = 1_750_000_000_123_456

valid: list[dict] = []
broken: list[dict] = []


def head(code: int, session: bytes, timestamp_us: int, payload_len: int) -> bytes:
    start = struct.pack("<BH", code, len(session)) + session
    return start + struct.pack("<QI", timestamp_us, payload_len)


def framed(code: int, payload: bytes, session: bytes = b"s1", timestamp_us: int = NOW) -> bytes:
    return head(code, session, timestamp_us, len(payload)) + payload


def packed(value: object) -> bytes:
    return msgpack.packb(value, use_bin_type=True)


def own(kind: str, packed_map: bytes, body: bytes = b"", session: bytes = b"s1", **more) -> bytes:
    """A frame of our form around a map that may be anything."""
    payload = struct.pack("<I", len(packed_map)) + packed_map
    if kind in WITH_BODY:
        payload += bytes(-(15 + len(session) + len(payload)) % 64) + body
    return framed(CODES[kind] | 0x80, payload, session, **more)


def body_start(packed_map: bytes, session: bytes = b"s1") -> int:
    end = 15 + len(session) + 4 + len(packed_map)
    return end + -end % 64


def values(dtype: str, *numbers: float) -> bytes:
    return struct.pack(f"<{len(numbers)}{LETTERS[dtype]}", *numbers)


def jsonable(value: object) -> object:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, int) and abs(value) > 2**53:
        return str(value)
    return value


def save(name: str, frame: bytes) -> str:
    (HERE / f"{name}.bin").write_bytes(frame)
    return f"{name}.bin"


def good(
    name: str,
    frame: bytes,
    kind: str,
    data: dict,
    *,
    plain: bool = False,
    canonical: bool = True,
    options: dict | None = None,
    session: str = "s1",
    timestamp_us: int = NOW,
    place: dict | None = None,
) -> None:
    fields = data if kind == "end_of_input" else {**COMMON, **data}
    valid.append(
        {
            "name": name,
            "file": save(name, frame),
            "plain": plain,
            "canonical": canonical,
            "options": options or {},
            "session": session,
            "timestamp_us": jsonable(timestamp_us),
            "place": {
                key: jsonable(value)
                for key, value in (place or (NOWHERE if plain else PLACE)).items()
            },
            "type": kind,
            "data": {key: jsonable(value) for key, value in fields.items()},
        }
    )


def good_own(
    name: str,
    kind: str,
    fields: dict,
    body_field: str = "",
    body: bytes = b"",
    extra: dict | None = None,
    **more,
) -> bytes:
    """A canonical frame: place, common fields, fields of the type. Returns its map."""
    place = more.pop("place", PLACE)
    session = more.get("session", "s1")
    common = {key: fields.get(key) for key in COMMON}
    rest = {key: value for key, value in fields.items() if key not in COMMON}
    if kind == "end_of_input":
        common = {}
    packed_map = packed({**place, **common, **rest})
    frame = own(
        kind, packed_map, body, session.encode(), timestamp_us=more.get("timestamp_us", NOW)
    )
    data = {**fields, **(extra or {})}
    if body_field:
        data[body_field] = body
    good(name, frame, kind, data, place=place, **more)
    return packed_map


def bad(name: str, frame: bytes, field: str, offset: int, why: str) -> None:
    broken.append(
        {
            "name": name,
            "file": save(name, frame),
            "field": field,
            "offset": offset,
            "why": why,
        }
    )
