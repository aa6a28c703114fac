"""WavDecoder. Expected samples were read by SciPy and SoX: tests/golden/wav/make.py."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from remotemedia.errors import MediaFileError
from remotemedia.wav import Encoding, WavDecoder

GOLDEN = Path(__file__).parents[2] / "golden" / "wav"
FILES = sorted(path.stem for path in GOLDEN.glob("*.wav"))


def decode(
    content: bytes, cut: int = 1 << 20, **options: float
) -> tuple[WavDecoder, NDArray[np.float32]]:
    decoder = WavDecoder(**options)  # type: ignore[arg-type]
    blocks = []
    for start in range(0, len(content), cut):
        blocks += list(decoder.feed(content[start : start + cut]))
    blocks += list(decoder.finish())
    channels = decoder.info.channels if decoder.info else 1
    return decoder, np.concatenate([*blocks, np.zeros((channels, 0), np.float32)], axis=1)


def golden(name: str) -> tuple[bytes, NDArray[np.float32]]:
    content = (GOLDEN / f"{name}.wav").read_bytes()
    return content, np.frombuffer((GOLDEN / f"{name}.f32").read_bytes(), "<f4")


def chunk(name: bytes, content: bytes, size: int | None = None) -> bytes:
    length = len(content) if size is None else size
    return name + struct.pack("<I", length) + content + b"\0" * (len(content) % 2)


def riff(*chunks: bytes) -> bytes:
    return chunk(b"RIFF", b"WAVE" + b"".join(chunks))


def form(tag: int = 1, channels: int = 1, rate: int = 8000, bits: int = 16) -> bytes:
    align = channels * -(-bits // 8)
    return chunk(b"fmt ", struct.pack("<HHIIHH", tag, channels, rate, rate * align, align, bits))


def test_there_are_files_of_every_encoding() -> None:
    assert len(FILES) == 19
    found = {decode(golden(name)[0])[0].info.encoding for name in FILES}  # type: ignore[union-attr]
    assert found == set(Encoding)


@pytest.mark.parametrize("cut", [1, 7, 1 << 20])
@pytest.mark.parametrize("name", FILES)
def test_samples_are_those_that_others_read(name: str, cut: int) -> None:
    content, expected = golden(name)
    decoder, samples = decode(content, cut)
    assert samples.dtype == np.float32
    np.testing.assert_array_equal(samples.T.reshape(-1), expected)
    assert decoder.info is not None
    assert decoder.info.sample_rate == 8000
    assert decoder.warnings == []


def test_blocks_have_the_length_that_was_asked_for() -> None:
    content, _ = golden("pcm16")
    decoder = WavDecoder(block_ms=15)
    blocks = [*decoder.feed(content), *decoder.finish()]
    assert [block.shape for block in blocks] == [(2, 120), (2, 120), (2, 120), (2, 40)]
    assert all(block.flags.c_contiguous for block in blocks)


def test_length_is_known_before_the_samples_come() -> None:
    content, _ = golden("pcm16")
    decoder = WavDecoder()
    assert list(decoder.feed(content[:44])) == []
    assert decoder.info is not None
    assert decoder.info.frames == 400


@pytest.mark.parametrize("name", ["stream-size-0", "stream-size-ffffffff", "never-finished"])
def test_length_of_a_stream_is_unknown_unless_the_file_is_measured(name: str) -> None:
    content, _ = golden(name)
    assert decode(content)[0].info.frames is None  # type: ignore[union-attr]
    decoder = WavDecoder(file_size=len(content))
    list(decoder.feed(content))
    assert decoder.info is not None
    assert decoder.info.frames == 400


def test_an_empty_data_chunk_before_others_is_empty() -> None:
    content = riff(form(), chunk(b"data", b""), chunk(b"LIST", b"INFO"))
    decoder, samples = decode(content)
    assert samples.shape == (1, 0)
    assert decoder.warnings == []


def test_what_is_cut_short_gives_what_is_there() -> None:
    content, expected = golden("pcm16")
    decoder, samples = decode(content[:-11])
    np.testing.assert_array_equal(samples.T.reshape(-1), expected[:-6])
    assert decoder.warnings == [
        "it is cut short: 1,589 of 1,600 bytes of samples",
        "its last 1 bytes are no whole sample",
    ]


def test_chunks_after_the_samples_are_not_samples() -> None:
    tail = chunk(b"LIST", b"INFO" + b"x" * 5000)
    content = riff(form(), chunk(b"data", b"\1\0" * 10), tail, tail)
    for cut in (1, 100, 10_000):
        assert decode(content, cut)[1].shape == (1, 10)


def test_valid_bits_are_the_upper_ones_of_their_container() -> None:
    fields = struct.pack("<HHIIHH", 1, 1, 8000, 16_000, 2, 12)  # 12 bits in 16
    content = riff(chunk(b"fmt ", fields), chunk(b"data", struct.pack("<2h", 0x4000, -0x8000)))
    assert decode(content)[1].tolist() == [[0.5, -1.0]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it is empty"),
        (b"RIFF", "it ends before the samples begin"),
        (b"ID3\4aaaaaaaaaaaa", "it is no WAV file: it is an MP3 file; convert it"),
        (b"\0\0\0\x20ftypisom", "it is no WAV file: it is an MP4 file"),
        (b"version: v1\n", "it is no WAV file: it starts with b'vers'"),
        (chunk(b"RIFF", b"AVI LIST"), "of type b'AVI ', not WAVE"),
        (riff(form(tag=0x55)), r"its encoding \(MP3\) is not read here: convert it"),
        (riff(form(tag=0x1234, bits=8)), "format tag 0x1234, 1 bytes per sample"),
        (riff(form(channels=0)), "says 0 channels at 8000 Hz"),
        (riff(form(rate=0)), "says 1 channels at 0 Hz"),
        (riff(chunk(b"fmt ", b"\1\0")), "its fmt chunk has 2 bytes: too short"),
        (riff(chunk(b"fmt ", b"\1\0", 1 << 30)), "its fmt chunk has 1,073,741,824 bytes"),
        (riff(b"\0\1\2\3" * 4), "it is damaged: a chunk is called"),
        (riff(chunk(b"data", b"\0\0")), "it has samples but no fmt chunk"),
        (riff(chunk(b"data", b"\0\0", 1 << 30)), "come before its fmt chunk, and are too many"),
        (b"RF64" + riff(chunk(b"ds64", b"\0" * 4))[4:], "its ds64 chunk has 4 bytes: too short"),
    ],
)
def test_what_is_no_wav_file_is_refused_with_the_reason(content: bytes, message: str) -> None:
    with pytest.raises(MediaFileError, match=message):
        decode(content)


def test_blocks_are_bounded_whatever_the_header_says() -> None:
    fields = struct.pack("<HHIIHH", 1, 65_535, 2**31, 0, 0, 8)
    decoder = WavDecoder(block_ms=10_000)
    list(decoder.feed(riff(chunk(b"fmt ", fields), chunk(b"data", b"", 2**30))))
    assert decoder._block <= 16 << 20


@given(position=st.integers(0, 300), byte=st.integers(0, 255), name=st.sampled_from(FILES))
@settings(max_examples=400)
def test_damage_is_read_past_or_refused(position: int, byte: int, name: str) -> None:
    content = bytearray(golden(name)[0])
    content[position] = byte
    try:
        _, samples = decode(bytes(content), 4096)
    except MediaFileError:
        return
    assert samples.size * 8 <= 8 * len(content)
