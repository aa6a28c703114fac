"""Whatever data a form can carry comes back from it bit for bit."""

from __future__ import annotations

import contextlib
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from fuzz.packets import OWN, PLAIN, SESSIONS, U64, ends, packets
from remotemedia import wire
from remotemedia.data import BY_MEDIA, Packet
from remotemedia.errors import WireError

PLACE = ("node", "port", "sequence", "sub_sequence", "timestamp_us", "generation")


def assert_same(data: Any, other: Any) -> None:
    """Equal to the bit: 1 is not 1.0, nor 0.0 -0.0, and key order counts."""
    assert data.equals(other)
    for field in data.__struct_fields__:
        value = getattr(data, field)
        if not isinstance(value, np.ndarray):
            assert repr(value) == repr(getattr(other, field))


def assert_valid(data: Any) -> None:
    """Decoders construct without checks: what they make must pass them, and be read-only."""
    assert data._checked() is data
    for field in data.__struct_fields__:
        value = getattr(data, field)
        if isinstance(value, np.ndarray):
            assert not value.flags.writeable
            assert value.flags.aligned


def test_every_type_has_strategies() -> None:
    assert set(OWN) == set(BY_MEDIA)
    assert set(PLAIN) == set(BY_MEDIA) - {"json", "image", "binary"}


@pytest.mark.parametrize("media", sorted(OWN))
@given(st.data())
def test_our_form_keeps_everything(media: str, source: st.DataObject) -> None:
    packet = source.draw(packets(OWN[media]))
    session = source.draw(SESSIONS)
    frame = wire.encode(packet, session)
    assert wire.encoded_size(packet, session) == len(frame)
    buffer = bytearray(len(frame))
    wire.encode_into(buffer, packet, session)
    assert buffer == frame
    for source_buffer in (frame, buffer, memoryview(frame), b"-" + frame):
        view = memoryview(source_buffer)[1:] if len(source_buffer) > len(frame) else source_buffer
        decoded, timestamp_us, item = wire.decode(view)
        assert (decoded, timestamp_us) == (session, packet.timestamp_us)
        assert isinstance(item, Packet)
        assert_same(packet.data, item.data)
        assert_valid(item.data)
        assert [getattr(item, name) for name in PLACE] == [getattr(packet, name) for name in PLACE]
        assert wire.encode(item, session) == frame


@pytest.mark.parametrize("media", sorted(PLAIN))
@given(st.data())
def test_plain_form_keeps_the_data(media: str, source: st.DataObject) -> None:
    packet = Packet(source.draw(PLAIN[media]), "node", timestamp_us=source.draw(U64))
    session = source.draw(SESSIONS)
    frame = wire.encode(packet, session, plain=True)
    assert wire.encoded_size(packet, session, plain=True) == len(frame)
    buffer = bytearray(len(frame))
    wire.encode_into(buffer, packet, session, plain=True)
    assert buffer == frame
    for shift in range(4):  # samples at every distance from a machine word
        shifted = memoryview(bytes(shift) + frame)[shift:]
        decoded, timestamp_us, item = wire.decode(shifted)
        assert (decoded, timestamp_us) == (session, packet.timestamp_us)
        assert isinstance(item, Packet)
        assert (item.node, item.port) == ("", "")
        assert_same(packet.data, item.data)
        assert_valid(item.data)


@given(ends(), SESSIONS)
def test_the_end_of_input_keeps_its_place(end: wire.EndOfInput, session: str) -> None:
    assert wire.decode(wire.encode(end, session)) == (session, end.timestamp_us, end)
    plain = wire.EndOfInput(timestamp_us=end.timestamp_us)
    frame = wire.encode(end, session, plain=True)
    assert wire.decode(frame) == (session, end.timestamp_us, plain)


@settings(max_examples=30)
@given(st.lists(packets(st.one_of(*OWN.values())), max_size=6), st.data())
def test_a_stream_cut_anywhere_gives_the_same_frames(
    items: list[Packet], source: st.DataObject
) -> None:
    frames = [wire.encode(item, "s") for item in items]
    stream = b"".join(frames)
    assert [bytes(frame) for frame in wire.split(stream)] == frames

    reader = wire.FrameReader()
    taken: list[bytes] = []
    pos = 0
    while pos < len(stream):
        size = source.draw(st.integers(0, 40) | st.just(len(stream)))
        taken += reader.feed(stream[pos : pos + size])
        pos += size
    reader.finish()
    assert taken == frames
    assert reader.buffered == 0


@given(st.binary(max_size=200))
def test_any_bytes_are_a_frame_or_a_wire_error(noise: bytes) -> None:
    offset = 0
    with contextlib.suppress(WireError):
        try:
            wire.decode(noise)
        except WireError as error:
            offset = error.offset
            raise
    assert 0 <= offset <= len(noise)
