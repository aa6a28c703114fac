"""Frames that another encoder wrote (tests/golden/wire/make_vectors.py), valid and broken."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from remotemedia import wire
from remotemedia.data import BY_MEDIA, Packet
from remotemedia.data.formats import AUDIO_DTYPES
from remotemedia.errors import WireError

FOLDER = Path(__file__).parent.parent / "golden" / "wire"
INDEX = json.loads((FOLDER / "vectors.json").read_text(encoding="utf-8"))
VALID, BROKEN = INDEX["valid"], INDEX["broken"]
NUMBERS = {"sequence", "sub_sequence", "generation", "pts_us", "size", "offset", "length"}
NUMBERS |= {"frame_number"}


def read(vector: dict[str, Any]) -> bytes:
    return (FOLDER / vector["file"]).read_bytes()


def name_of(vector: dict[str, Any]) -> str:
    return vector["name"]


def numbers(fields: dict[str, Any]) -> dict[str, Any]:
    """Numbers beyond 2**53 are written as text, for the sake of JavaScript."""
    return {
        key: int(value) if key in NUMBERS and value is not None else value
        for key, value in fields.items()
    }


def expected_item(vector: dict[str, Any]) -> Packet | wire.EndOfInput:
    place = numbers(vector["place"])
    timestamp_us = int(vector["timestamp_us"])
    if vector["type"] == "end_of_input":
        return wire.EndOfInput(**place, timestamp_us=timestamp_us)
    fields = numbers(vector["data"])
    if vector["type"] == "audio":
        dtype, shape = AUDIO_DTYPES[fields.pop("format")], fields.pop("shape")
        assert fields.pop("channels") == shape[0]
        fields["samples"] = array(fields["samples"], dtype).reshape(shape)
    elif vector["type"] == "tensor":
        values = array(fields.pop("values"), np.dtype(fields.pop("dtype")))
        fields["values"] = values.reshape(fields.pop("shape"))
    elif vector["type"] == "video":
        fields["pixels"] = array(fields["pixels"], np.dtype(np.uint8))
    elif vector["type"] in ("image", "binary"):
        fields["content"] = bytes.fromhex(fields["content"])
    data = BY_MEDIA[vector["type"]](**fields)
    return Packet(data, **place, timestamp_us=timestamp_us)


def array(text: str, dtype: np.dtype[Any]) -> np.ndarray:
    return np.frombuffer(bytes.fromhex(text), dtype.newbyteorder("<"))


def check(item: object, expected: object) -> None:
    if isinstance(expected, Packet):
        assert isinstance(item, Packet)
        assert item.data.equals(expected.data), (item.data, expected.data)
        for field in ("node", "port", "sequence", "sub_sequence", "timestamp_us", "generation"):
            assert getattr(item, field) == getattr(expected, field)
    else:
        assert item == expected


def test_every_file_is_in_the_index_once() -> None:
    files = sorted(vector["file"] for vector in VALID + BROKEN)
    assert files == sorted(path.name for path in FOLDER.glob("*.bin"))


@pytest.mark.parametrize("vector", VALID, ids=name_of)
def test_valid_vectors_decode_to_what_the_index_says(vector: dict[str, Any]) -> None:
    frame = read(vector)
    session, timestamp_us, item = wire.decode(frame, **vector["options"])
    assert (session, timestamp_us) == (vector["session"], int(vector["timestamp_us"]))
    check(item, expected_item(vector))

    header = wire.peek(frame)
    assert (header.plain, header.session) == (vector["plain"], vector["session"])
    assert header.size == len(frame)


@pytest.mark.parametrize("vector", [vector for vector in VALID if vector["canonical"]], ids=name_of)
def test_canonical_vectors_are_what_encode_writes(vector: dict[str, Any]) -> None:
    frame = read(vector)
    item, session, plain = expected_item(vector), vector["session"], vector["plain"]
    assert wire.encode(item, session, plain=plain) == frame
    buffer = bytearray(b"\xa5" * (len(frame) + 8))
    assert wire.encode_into(buffer, item, session, plain=plain) == len(frame)
    assert buffer == frame + b"\xa5" * 8
    assert wire.encoded_size(item, session, plain=plain) == len(frame)


@pytest.mark.parametrize("vector", BROKEN, ids=name_of)
def test_broken_vectors_name_their_field_and_offset(vector: dict[str, Any]) -> None:
    for buffer in (read(vector), bytearray(read(vector))):
        with pytest.raises(WireError) as caught:
            wire.decode(buffer)
        assert (caught.value.field, caught.value.offset) == (vector["field"], vector["offset"])


@pytest.mark.parametrize("vector", VALID, ids=name_of)
def test_no_beginning_of_a_valid_vector_is_valid(vector: dict[str, Any]) -> None:
    frame = read(vector)
    for size in {*range(min(len(frame), 300)), len(frame) - 1}:
        with pytest.raises(WireError):
            wire.decode(frame[:size], **vector["options"])


def test_valid_vectors_cover_every_type_in_every_form() -> None:
    forms = {(vector["type"], vector["plain"]) for vector in VALID if vector["canonical"]}
    types = {*BY_MEDIA, "end_of_input"}
    plain = types - {"json", "image", "binary"}
    assert forms == {(kind, False) for kind in types} | {(kind, True) for kind in plain}
