"""PerStream: what nodes share that follow each stream of audio by itself."""

from __future__ import annotations

import numpy as np
import pytest

import remotemedia as rm
from remotemedia.errors import DataError
from remotemedia.nodes import streams
from remotemedia.nodes.audio.chunker import AudioChunker


def block(stream_id: str, value: float, frames: int = 3, rate: int = 8000) -> rm.Audio:
    return rm.Audio(np.full(frames, value), rate, stream_id=stream_id)


def test_streams_do_not_mix_and_all_tails_come_out() -> None:
    node = AudioChunker(chunk_size=4, remainder="emit")
    assert node.process(block("a", 1.0)) is None
    assert node.process(block("b", 2.0)) is None
    chunk = node.process(block("a", 1.0))
    assert chunk.stream_id == "a"
    assert chunk.samples.tolist() == [[1.0] * 4]
    assert [(tail.stream_id, tail.frames) for tail in node.finish()] == [("a", 2), ("b", 3)]
    assert list(node.finish()) == []


def test_a_new_format_lets_the_tail_out_first() -> None:
    node = AudioChunker(chunk_size=4, remainder="emit")
    node.process(block("a", 1.0))
    done = node.process(block("a", 2.0, frames=4, rate=16000))
    assert [(chunk.sample_rate, chunk.frames) for chunk in done] == [(8000, 3), (16000, 4)]


def test_made_up_ids_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "MAX_STREAMS", 2)
    node = AudioChunker(chunk_size=4)
    node.process(block("a", 1.0))
    node.process(block("b", 1.0))
    with pytest.raises(DataError, match="AudioChunker follows 2 streams already, and 'c'"):
        node.process(block("c", 1.0))
    node.process(block("a", 1.0))
    node.reset()
    node.process(block("c", 1.0))
