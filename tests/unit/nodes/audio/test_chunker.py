"""AudioChunker. The samples count upwards, so that a chunk shows which ones it has."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from remotemedia.data import Audio
from remotemedia.errors import ParamsError
from remotemedia.node import make_params
from remotemedia.nodes.audio.chunker import AudioChunker


def counting(frames: int, first: int = 0) -> NDArray[np.float32]:
    return np.arange(first, first + frames, dtype=np.float32)


def outputs(result: Any) -> list[Any]:
    """What `process` gave, as a list."""
    return [] if result is None else result if isinstance(result, list) else [result]


def chunks(node: AudioChunker, *blocks: Audio) -> list[Audio]:
    return [chunk for block in blocks for chunk in outputs(node.process(block))] + list(
        node.finish()
    )


def values(out: list[Audio]) -> list[list[float]]:
    return [chunk.samples[0].tolist() for chunk in out]


def test_default_is_512() -> None:
    out = chunks(AudioChunker(), Audio(counting(1200), 16000))
    assert [chunk.frames for chunk in out] == [512, 512, 176]


@pytest.mark.parametrize(
    ("remainder", "tail"), [("emit", [[6, 7]]), ("pad", [[6, 7, 0]]), ("drop", [])]
)
def test_remainder(remainder: str, tail: list[list[float]]) -> None:
    out = chunks(AudioChunker(chunk_size=3, remainder=remainder), Audio(counting(8), 16000))
    assert values(out) == [[0, 1, 2], [3, 4, 5], *tail]


def test_nothing_is_left() -> None:
    for remainder in ("emit", "pad", "drop"):
        node = AudioChunker(chunk_size=4, remainder=remainder)
        assert values(chunks(node, Audio(counting(4), 16000))) == [[0, 1, 2, 3]]
        assert chunks(node) == []


def test_overlap() -> None:
    out = chunks(AudioChunker(chunk_size=4, hop_size=2), Audio(counting(7), 16000))
    assert values(out) == [[0, 1, 2, 3], [2, 3, 4, 5], [4, 5, 6]]
    # All samples have been in a chunk: nothing is left, though another chunk has begun.
    out = chunks(AudioChunker(chunk_size=4, hop_size=2), Audio(counting(6), 16000))
    assert values(out) == [[0, 1, 2, 3], [2, 3, 4, 5]]


def test_skip() -> None:
    out = chunks(AudioChunker(chunk_size=2, hop_size=5), Audio(counting(11), 16000))
    assert values(out) == [[0, 1], [5, 6], [10]]
    node = AudioChunker(chunk_size=2, hop_size=5)
    out = chunks(node, *[Audio(counting(1, i), 16000) for i in range(9)])
    assert values(out) == [[0, 1], [5, 6]]


@pytest.mark.parametrize(
    ("rate", "chunk_ms", "sizes"),
    [
        (44100, 10, [441] * 5),
        (16000, 32, [512] * 5),
        (44100, 2.5, [110, 111, 110, 110, 110, 111]),  # 110.25: 110, 221, 331, 441, 551, 662
        (11025, 20, [221, 220, 221, 220]),  # 220.5, halves up
        (48000, 2.3, [110, 111, 110, 111, 110]),  # 110.4: 110, 221, 331, 442, 552
    ],
)
def test_milliseconds(rate: int, chunk_ms: float, sizes: list[int]) -> None:
    out = chunks(AudioChunker(chunk_ms=chunk_ms), Audio(counting(sum(sizes)), rate))
    assert [chunk.frames for chunk in out] == sizes


def test_milliseconds_with_a_hop_have_one_size_and_do_not_drift() -> None:
    node = AudioChunker(chunk_ms=5, hop_ms=2.5, remainder="drop")
    out = chunks(node, Audio(counting(44100), 44100, pts_us=0))
    assert {chunk.frames for chunk in out} == {221}  # 220.5, halves up
    starts = [int(chunk.samples[0, 0]) for chunk in out]
    assert starts == [int(Fraction(441, 4) * k + Fraction(1, 2)) for k in range(len(out))]
    assert len(out) == 398  # the next would start at 43880 and end after 44100


@given(
    sizes=st.lists(st.integers(0, 40), max_size=12),
    chunk=st.integers(1, 30),
    hop=st.none() | st.integers(1, 40),
    remainder=st.sampled_from(["emit", "pad", "drop"]),
)
def test_any_blocks_give_the_same_chunks(
    sizes: list[int], chunk: int, hop: int | None, remainder: Any
) -> None:
    def node() -> AudioChunker:
        return AudioChunker(chunk_size=chunk, hop_size=hop, remainder=remainder)

    total = sum(sizes)
    whole = Audio(counting(total), 8000, pts_us=0)
    parts = [
        Audio(part, 8000, pts_us=0 if number == 0 else None)
        for number, part in enumerate(np.split(counting(total), np.cumsum(sizes)))
    ]
    expected = chunks(node(), whole)
    actual = chunks(node(), *parts)
    assert values(actual) == values(expected)
    known = [c.pts_us for c in actual if c.pts_us is not None]
    assert known == [c.pts_us for c in expected][: len(known)]
    step = hop or chunk
    for number, item in enumerate(expected):
        assert item.pts_us == number * step * 125
        assert item.frames == chunk or (remainder == "emit" and item is expected[-1])


def test_stamps_do_not_drift() -> None:
    blocks = [Audio(counting(1000), 44100, pts_us=77 if i == 0 else None) for i in range(100)]
    for number, chunk in enumerate(chunks(AudioChunker(chunk_size=512), *blocks)):
        assert chunk.pts_us == 77 + round(number * 512 * 1_000_000 / 44100)


def test_no_chunk_spans_a_gap() -> None:
    node = AudioChunker(chunk_size=4)
    first = Audio(counting(6), 1000, pts_us=0, metadata={"take": 1})
    second = Audio(counting(6, 6), 1000, pts_us=100_000, metadata={"take": 2})
    out = chunks(node, first, second)
    assert values(out) == [[0, 1, 2, 3], [4, 5], [6, 7, 8, 9], [10, 11]]
    assert [(chunk.pts_us, chunk.metadata) for chunk in out] == [
        (0, {"take": 1}),
        (4_000, {"take": 1}),
        (100_000, {"take": 2, "gap_us": 94_000}),
        (104_000, {"take": 2}),
    ]


def test_gaps_add_up_until_a_chunk_can_carry_them() -> None:
    node = AudioChunker(chunk_size=4, remainder="drop")
    blocks = [Audio(counting(n), 1000, pts_us=pts) for n, pts in ((4, 0), (2, 10_000), (4, 20_000))]
    out = chunks(node, *blocks)
    assert [(chunk.pts_us, chunk.metadata) for chunk in out] == [
        (0, None),
        (20_000, {"gap_us": 14_000}),  # 6 ms before the block that was dropped, 8 ms after it
    ]


@pytest.mark.parametrize(
    ("dtype", "silence"), [(np.float32, 0), (np.int16, 0), (np.int32, 0), (np.uint8, 128)]
)
def test_formats_and_channels_are_kept(dtype: Any, silence: int) -> None:
    samples = np.arange(10).reshape(2, 5).astype(dtype)
    out = chunks(AudioChunker(chunk_size=3, remainder="pad"), Audio(samples, 8000))
    assert [chunk.samples.tolist() for chunk in out] == [
        [[0, 1, 2], [5, 6, 7]],
        [[3, 4, silence], [8, 9, silence]],
    ]
    for chunk in out:
        assert chunk.samples.dtype == dtype
        assert chunk.samples.flags.c_contiguous
        assert not chunk.samples.flags.writeable


def test_a_change_of_format_ends_the_run() -> None:
    node = AudioChunker(chunk_size=4)
    out = chunks(
        node,
        Audio(counting(6), 1000, pts_us=0),
        Audio(counting(5), 2000),
        Audio(np.zeros((2, 4), np.int16), 2000),
    )
    assert [(c.sample_rate, c.channels, c.frames, c.pts_us) for c in out] == [
        (1000, 1, 4, 0),
        (1000, 1, 2, 4_000),
        (2000, 1, 4, 6_000),
        (2000, 1, 1, 8_000),
        (2000, 2, 4, 8_500),
    ]


def test_streams_are_kept_apart() -> None:
    node = AudioChunker(chunk_size=4)
    blocks = [Audio(counting(3, i), 1000, stream_id="ab"[i % 2]) for i in range(4)]
    out = [(c.stream_id, c.samples[0].tolist()) for c in chunks(node, *blocks)]
    assert out == [("a", [0, 1, 2, 2]), ("b", [1, 2, 3, 3]), ("a", [3, 4]), ("b", [4, 5])]


def test_reset_forgets() -> None:
    node = AudioChunker(chunk_size=4)
    node.process(Audio(counting(3), 1000))
    node.reset()
    assert values(chunks(node, Audio(counting(5), 1000))) == [[0, 1, 2, 3], [4]]


def test_chunks_come_one_by_one() -> None:
    node = AudioChunker(chunk_size=4)
    stream = iter(node.process(Audio(counting(1000), 1000)))
    assert next(stream).frames == 4


def test_a_block_that_is_a_chunk_is_handed_on_without_a_copy() -> None:
    node = AudioChunker(chunk_size=4)
    blocks = [Audio(counting(size), 1000) for size in (4, 3, 4)]
    out = [node.process(block) for block in blocks]
    assert out[0].samples is blocks[0].samples
    assert out[1] is None
    assert out[2].samples.tolist() == [[0, 1, 2, 0]]


def test_few_samples_left_do_not_keep_a_long_block() -> None:
    node = AudioChunker(chunk_size=100)
    node.process(Audio(counting(1010), 1000))
    (stream,) = node._streams.values()
    assert stream._pending is not None
    assert stream._pending.base is None


def test_less_than_a_sample() -> None:
    with pytest.raises(ParamsError, match="at least one sample; at 1000 Hz one lasts 1 ms"):
        AudioChunker(chunk_ms=0.2).process(Audio(counting(5), 1000))


@pytest.mark.parametrize("fields", [{"chunk_size": 0}, {"chunk_ms": 0}, {"remainder": "keep"}])
def test_parameters_out_of_range(fields: dict[str, object]) -> None:
    with pytest.raises(ParamsError, match="AudioChunker"):
        make_params(AudioChunker, fields)


def test_names_of_parameters() -> None:
    params = make_params(AudioChunker, {"chunkSize": 160, "hopMs": 5})
    assert isinstance(params, AudioChunker.Params)
    assert (params.chunk_size, params.hop_ms) == (160, 5)
