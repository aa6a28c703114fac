"""WavWriter. The standard library reads what it writes; SoX does in tests/native."""

from __future__ import annotations

import io
import struct
import wave

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from remotemedia.errors import DataError
from remotemedia.wav import Encoding, WavDecoder, WavWriter
from remotemedia.wav.encoding import decode, encode
from remotemedia.wav.writer import WRITABLE


def written(
    samples: NDArray[np.generic], encoding: Encoding, *, rate: int = 16_000, seekable: bool = True
) -> bytes:
    file = io.BytesIO()
    writer = WavWriter(file, rate, samples.shape[0], encoding, seekable=seekable)
    writer.write(samples[:, :3])
    writer.write(samples[:, 3:])
    writer.finish()
    assert file.tell() == len(file.getvalue())
    return file.getvalue()


def read(content: bytes) -> tuple[WavDecoder, NDArray[np.float32]]:
    decoder = WavDecoder()
    return decoder, np.concatenate([*decoder.feed(content), *decoder.finish()], axis=1)


@pytest.mark.parametrize(
    "encoding", [Encoding.PCM8, Encoding.PCM16, Encoding.PCM24, Encoding.PCM32]
)
def test_the_standard_library_reads_it(encoding: Encoding) -> None:
    values = np.array([[0.5, -0.5, 0.25, 0, -1], [0, 0.125, -0.125, 0.75, 0]], np.float32)
    with wave.open(io.BytesIO(written(values, encoding))) as file:
        assert file.getparams()[:4] == (2, encoding.size, 16_000, 5)
        raw = file.readframes(10)
    bits = 8 * encoding.size
    offset = 128 if encoding is Encoding.PCM8 else 0
    expected = (values.T.reshape(-1).astype(float) * 2 ** (bits - 1)).astype(int) + offset
    size = encoding.size
    signed = encoding is not Encoding.PCM8
    found = [
        int.from_bytes(raw[at : at + size], "little", signed=signed)
        for at in range(0, len(raw), size)
    ]
    assert found == expected.tolist()


@pytest.mark.parametrize("seekable", [True, False])
@pytest.mark.parametrize("channels", [1, 2, 3, 6])
@pytest.mark.parametrize("encoding", WRITABLE)
def test_what_was_written_is_read(encoding: Encoding, channels: int, seekable: bool) -> None:
    values = np.linspace(-1, 0.9921875, 255 * channels, dtype=np.float32).reshape(channels, -1)
    values = np.round(values * 128) / np.float32(128)  # exact in all of them
    decoder, samples = read(written(values, encoding, seekable=seekable))
    np.testing.assert_array_equal(samples, values)
    assert decoder.info is not None
    assert (decoder.info.encoding, decoder.info.frames) == (encoding, 255 if seekable else None)
    assert decoder.warnings == []


@pytest.mark.parametrize(
    ("dtype", "encoding"),
    [(np.int16, Encoding.PCM16), (np.int32, Encoding.PCM32), (np.uint8, Encoding.PCM8)],
)
def test_integers_keep_their_bits(dtype: type[np.generic], encoding: Encoding) -> None:
    limits = np.iinfo(dtype)  # type: ignore[type-var]
    values = np.array([[limits.min, limits.max, 1, 77]], dtype)
    assert written(values, encoding)[-4 * encoding.size :] == values.tobytes()


def test_integers_are_scaled_to_another_encoding() -> None:
    values = np.array([[-32768, 16384, 0]], np.int16)
    assert read(written(values, Encoding.FLOAT32))[1].tolist() == [[-1.0, 0.5, 0.0]]
    unsigned = np.array([[0, 192, 128]], np.uint8)
    assert read(written(unsigned, Encoding.PCM16))[1].tolist() == [[-1.0, 0.5, 0.0]]


def test_beyond_full_scale_is_clipped_and_counted() -> None:
    values = np.array([[1.0, 1.5, -1.0, -2.0, np.nan, np.inf]], np.float32)
    raw, clipped = encode(values, Encoding.PCM16)
    assert struct.unpack("<6h", raw) == (32767, 32767, -32768, -32768, 0, 32767)
    assert clipped == 3
    assert encode(values, Encoding.FLOAT32) == (values.tobytes(), 0)


def test_samples_are_rounded_to_the_nearest() -> None:
    steps = np.array([[0.4, 0.6, -0.6, 1.49]], np.float32) / 32768
    assert struct.unpack("<4h", encode(steps, Encoding.PCM16)[0]) == (0, 1, -1, 1)


@given(st.binary(min_size=3, max_size=300).filter(lambda raw: len(raw) % 3 == 0))
def test_24_bits_survive(raw: bytes) -> None:
    samples = decode(raw, Encoding.PCM24)
    assert encode(samples.reshape(1, -1), Encoding.PCM24) == (raw, 0)


def test_beyond_4_gib_it_becomes_rf64() -> None:
    file = io.BytesIO()
    writer = WavWriter(file, 48_000, 2, Encoding.PCM16)
    writer.write(np.zeros((2, 10), np.float32))
    writer.frames = 2**31  # as if so many had been written
    writer.finish()
    header = file.getvalue()[:80]
    assert header[:4] == b"RF64"
    assert header[12:20] == b"ds64" + struct.pack("<I", 28)
    assert struct.unpack_from("<QQQ", header, 20) == (2**33 + 72, 2**33, 2**31)
    assert header[-8:] == b"data" + b"\xff" * 4
    decoder = WavDecoder()
    assert len(list(decoder.feed(file.getvalue()))) == 0
    assert decoder.info is not None
    assert decoder.info.frames == 2**31


def test_encodings_that_are_only_read_are_refused() -> None:
    with pytest.raises(
        DataError, match="written as pcm8, pcm16, pcm24, pcm32, float32, not as alaw"
    ):
        WavWriter(io.BytesIO(), 8000, 1, Encoding.ALAW)


def test_an_odd_number_of_bytes_is_padded() -> None:
    content = written(np.zeros((1, 5), np.uint8), Encoding.PCM8)
    assert len(content) % 2 == 0
    assert struct.unpack_from("<I", content, 4)[0] == len(content) - 8
