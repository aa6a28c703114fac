from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from remotemedia.nodes.analysis.framer import BATCH, Framer


def frames_of(
    framer: Framer, samples: NDArray[np.float32], cuts: list[int]
) -> list[NDArray[np.float32]]:
    found: list[NDArray[np.float32]] = []
    for chunk in np.split(samples, cuts, axis=1):
        framer.put(chunk)
        while (batch := framer.take()) is not None:
            assert batch.shape[1] <= BATCH
            found += [batch[:, k].copy() for k in range(batch.shape[1])]
    return found


@given(
    st.sampled_from([8000, 11025, 22050, 44100]),
    st.sampled_from([5, 10, 30]),
    st.lists(st.integers(0, 3000), max_size=8).map(sorted),
)
def test_frames_lie_on_the_grid_however_the_stream_is_cut(
    rate: int, frame_ms: int, cuts: list[int]
) -> None:
    samples = np.arange(6000, dtype=np.float32).reshape(2, 3000)
    framer = Framer(rate, 2, frame_ms)
    found = frames_of(framer, samples, cuts)
    assert framer.index == len(found)
    edges = [k * rate * frame_ms // 1000 for k in range(len(found) + 2)]
    for k, frame in enumerate(found):
        np.testing.assert_array_equal(frame, samples[:, edges[k] : edges[k + 1]])
    np.testing.assert_array_equal(framer.rest, samples[:, edges[-2] :])
    assert edges[-1] > 3000


@pytest.mark.parametrize(("rate", "size"), [(48_000, 480), (44_100, 441), (22_050, None)])
def test_size_is_known_where_frames_are_equal(rate: int, size: int | None) -> None:
    assert Framer(rate, 1, 10).size == size


def test_the_grid_does_not_drift() -> None:
    assert Framer(11_025, 1, 10).position(100 * 3600) == 11_025 * 3600
