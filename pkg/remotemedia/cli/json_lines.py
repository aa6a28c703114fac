"""JSON lines: one packet per line, written by `run` and read by it."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import numpy as np

from remotemedia.data import Audio, Data, Json, Packet, Text
from remotemedia.data.json import MAX_DEPTH
from remotemedia.errors import DataError, MediaFileError

_QUOTED = re.compile(rb'"(?:[^"\\]|\\.)*+"?')
_READABLE = ("text", "json")


def packet_line(packet: Packet) -> bytes:
    """A packet as one line, without its end. Of audio and other arrays only the description."""
    return msgspec.json.encode(packet_dict(packet))


def packet_dict(packet: Packet) -> dict[str, object]:
    """A packet as JSON-like data; what is None is left out."""
    data = packet.data
    line: dict[str, object] = {
        "node": packet.node,
        "port": packet.port,
        "sequence": packet.sequence,
        "sub_sequence": packet.sub_sequence,
        "media": data.media,
    }
    if isinstance(data, Audio):
        line |= {**data.caps_fields(), "frames": data.frames}
    for name in data.__struct_fields__:
        value = getattr(data, name)
        if isinstance(value, np.ndarray):
            if not isinstance(data, Audio):
                line |= {"dtype": str(value.dtype), "shape": list(value.shape)}
        elif isinstance(value, (bytes, memoryview)):
            line["bytes"] = len(value)
        elif value is not None or name == "value":
            line[name] = value
    return line


def read_line(line: str, number: int) -> Data:
    """The data of a line: that of a text or JSON packet, else the value of a `Json`.

    Raises
    ------
    MediaFileError
        The line is not JSON.
    """
    try:
        value = read_json(line)
        if isinstance(value, dict) and value.get("media") in _READABLE and "node" in value:
            return _of_packet(value)
        return Json(value)
    except (ValueError, DataError) as error:
        raise MediaFileError(f"line {number} is no JSON: {error}") from None


def read_json(text: str) -> Any:
    """The value of a JSON text, nested at most as deep as `Json` can be.

    Raises
    ------
    ValueError
        It is not JSON.
    """
    raw = text.encode()
    # Looked at before it is decoded: depth is fatal to the decoder in Pyodide.
    depth = 0
    for byte in _QUOTED.sub(b"", raw):
        if byte in b"[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise ValueError(f"nested deeper than {MAX_DEPTH}")
        elif byte in b"]}":
            depth -= 1
    try:
        return msgspec.json.decode(raw)
    except msgspec.DecodeError as error:
        raise ValueError(str(error)) from None


def _of_packet(line: dict[str, Any]) -> Data:
    common = {name: line.get(name) for name in ("pts_us", "stream_id", "metadata")}
    if line["media"] == "text":
        return Text(line.get("text", ""), line.get("channel", "tts"), **common)
    return Json(line.get("value"), **common)
