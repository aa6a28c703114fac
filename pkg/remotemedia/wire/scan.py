"""What is checked about nested bytes before a decoder sees them.

msgspec recurses: in Pyodide a few thousand open brackets end the interpreter, not just the call.
And where sizes have 32 bits, as they do there, its lengths from 2**31 on turn negative. So depth,
lengths and text are checked here first, with a loop and a stack of at most 64 entries, and what
passes cannot make a decoder fail half-way with a large value half built.
"""

from __future__ import annotations

from struct import Struct

from remotemedia.data.json import MAX_DEPTH
from remotemedia.errors import WireError

MAX_KEYS = 64  # of a frame's own map: all known ones, and room for those of later versions

_LONG = frozenset({0xC6, 0xC9, 0xDB, 0xDD, 0xDF})  # opcodes with a length of 32 bits
_HARMLESS = bytes(set(range(256)) - {*range(0x80, 0xA0), 0xDC, 0xDE} - _LONG)
_PIECE = 4096

# opcode → bytes after it, for values of fixed size
_SCALARS = {0xC0: 0, 0xC2: 0, 0xC3: 0, 0xCA: 4, 0xCB: 8}
_SCALARS |= {0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8, 0xD0: 1, 0xD1: 2, 0xD2: 4, 0xD3: 8}
_FLOATS = {0xCA: Struct(">f"), 0xCB: Struct(">d")}
# opcode → bytes of the length after it
_STRINGS = {0xD9: 1, 0xDA: 2, 0xDB: 4}
_LISTS = {0xDC: 2, 0xDD: 4}
_MAPS = {0xDE: 2, 0xDF: 4}


def is_tame(data: bytes) -> bool:
    """True when msgspec may see msgpack `data` as it is, even if it is malformed.

    It cannot nest deeper than `MAX_DEPTH` and has no length of 32 bits: at C speed, by the bytes
    that could begin these. Text in other scripts makes it say False where a scan would pass.
    """
    openers = 0
    for start in range(0, len(data), _PIECE):  # at most a piece is copied
        found = data[start : start + _PIECE].translate(None, _HARMLESS)
        openers += len(found)
        if openers > MAX_DEPTH or not _LONG.isdisjoint(found):
            return False
    return True


def scan_map(data: bytes, base: int) -> dict[str, int]:
    """Check a frame's own map, and say where the value of each key starts.

    Parameters
    ----------
    data : bytes
        Exactly one msgpack map with unique string keys; the values JSON-like (no binary, no
        extension, no NaN), at most `MAX_DEPTH` deep, all text in UTF-8.
    base : int
        Where it starts in the frame, for errors.

    Raises
    ------
    WireError
        For anything else; names the key, and the offset of what is wrong.
    """
    head = data[0] if data else 0xC1
    if head & 0xF0 == 0x80:
        count, pos = head & 0x0F, 1
    elif head in _MAPS:
        count, pos = _length(data, 0, _MAPS[head], "map", base)
    else:
        raise WireError("not a msgpack map", "map", base)
    if count > MAX_KEYS:
        raise WireError(f"{count} keys, at most {MAX_KEYS} are taken", "map", base)
    offsets: dict[str, int] = {}
    for _ in range(count):
        start = pos
        if pos >= len(data):
            raise WireError("cut short: a key is missing", "map", base + pos)
        key, pos = _string(data, pos, data[pos], "map", base)
        name = str(key, "utf-8")
        if name in offsets:
            raise WireError("the key is there twice", name, base + start)
        offsets[name] = base + pos
        pos = _skip(data, pos, MAX_DEPTH, name[:64], base)
    if pos != len(data):
        raise WireError(f"{len(data) - pos} bytes after the map's end", "map", base + pos)
    return offsets


def scan_value(data: bytes, field: str) -> None:
    """Check one msgpack value as `scan_map` does; its errors count from the value's start."""
    _skip(data, 0, MAX_DEPTH, field, 0)


def scan_json(text: bytes, limit: int, field: str, base: int) -> None:
    """Check that JSON `text` is UTF-8 and nests at most `limit` deep; not its syntax."""
    if not text.isascii():
        _check_utf8(text, field, base)
    if text.count(b"[") + text.count(b"{") <= limit:
        return
    depth = 0
    in_string = escaped = False
    for pos, byte in enumerate(text):
        if escaped:
            escaped = False
        elif byte == 0x22:
            in_string = not in_string
        elif in_string:
            escaped = byte == 0x5C
        elif byte in b"[{":
            depth += 1
            if depth > limit:
                raise WireError(f"nested deeper than {limit}", field, base + pos)
        elif byte in b"]}":
            depth -= 1


def _skip(data: bytes, pos: int, depth: int, field: str, base: int) -> int:
    """Check the value at `pos` and return where it ends."""
    size = len(data)
    open_: list[tuple[int, bool]] = []  # containers around the current one: items left, is it a map
    left, is_map = 1, False
    while True:
        while left == 0:
            if not open_:
                return pos
            left, is_map = open_.pop()
        if pos >= size:
            raise WireError("cut short: a value is missing", field, base + pos)
        byte = data[pos]
        left -= 1
        if 0xA0 <= byte <= 0xBF:  # a short string: inline, as most keys and values are such
            end = pos + 1 + (byte & 0x1F)
            if end > size or not data[pos + 1 : end].isascii():
                _string(data, pos, byte, field, base)
            pos = end
        elif byte in _STRINGS:
            _, pos = _string(data, pos, byte, field, base)
        elif is_map and left % 2:  # a value is still to come: so this is its key
            raise WireError("a key is not a string", field, base + pos)
        elif byte <= 0x7F or byte >= 0xE0:
            pos += 1
        elif byte in _SCALARS:
            end = pos + 1 + _SCALARS[byte]
            if end > size:
                raise WireError("cut short inside a number", field, base + pos)
            if byte in _FLOATS:
                number = _FLOATS[byte].unpack_from(data, pos + 1)[0]
                if number - number != 0:
                    raise WireError(f"{number} is not JSON", field, base + pos)
            pos = end
        else:
            count, end, holds_pairs = _container(data, pos, byte, field, base)
            if len(open_) + 1 > depth:
                raise WireError(f"nested deeper than {depth}", field, base + pos)
            if count > size - end:  # every item has at least one byte
                raise WireError(f"{count} items cannot be in {size - end} bytes", field, base + pos)
            open_.append((left, is_map))
            left, is_map, pos = count, holds_pairs, end


def _container(data: bytes, pos: int, byte: int, field: str, base: int) -> tuple[int, int, bool]:
    """Items (keys and values both count), where they start, and whether it is a map."""
    if byte & 0xF0 == 0x80:
        return 2 * (byte & 0x0F), pos + 1, True
    if byte & 0xF0 == 0x90:
        return byte & 0x0F, pos + 1, False
    if byte in _LISTS:
        return *_length(data, pos, _LISTS[byte], field, base), False
    if byte in _MAPS:
        pairs, end = _length(data, pos, _MAPS[byte], field, base)
        return 2 * pairs, end, True
    raise WireError(f"msgpack 0x{byte:02X} (binary or extension) is not taken", field, base + pos)


def _string(data: bytes, pos: int, byte: int, field: str, base: int) -> tuple[bytes, int]:
    """The UTF-8 of the string at `pos`, and where it ends."""
    if 0xA0 <= byte <= 0xBF:
        count, start = byte & 0x1F, pos + 1
    elif byte in _STRINGS:
        count, start = _length(data, pos, _STRINGS[byte], field, base)
    else:
        raise WireError("a key is not a string", field, base + pos)
    end = start + count
    if end > len(data):
        raise WireError(
            f"cut short: {len(data) - start} of {count} bytes of text", field, base + pos
        )
    text = data[start:end]
    if not text.isascii():
        _check_utf8(text, field, base + start)
    return text, end


def _length(data: bytes, pos: int, width: int, field: str, base: int) -> tuple[int, int]:
    """The length that follows the opcode at `pos`, and where it ends."""
    end = pos + 1 + width
    if end > len(data):
        raise WireError("cut short inside a length", field, base + pos)
    return int.from_bytes(data[pos + 1 : end], "big"), end


def _check_utf8(text: bytes, field: str, base: int) -> None:
    """In pieces, for a piece can take four times its size when it is decoded."""
    start = 0
    while start < len(text):
        end = start + _PIECE
        for _ in range(3):  # back to where a character begins; no valid one is longer
            if end < len(text) and text[end] & 0xC0 == 0x80:
                end -= 1
        try:
            text[start:end].decode()
        except UnicodeDecodeError as error:
            at = base + start + error.start
            raise WireError(f"not UTF-8: {error.reason}", field, at) from None
        start = end
