from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from remotemedia.caps import parse_caps
from remotemedia.data import Audio
from remotemedia.errors import DataError, ParamsError
from remotemedia.node import make_params
from remotemedia.nodes.audio.channel_mix import LAYOUTS, ChannelMix, mix_matrix

GOLDEN = Path(__file__).parents[3] / "golden" / "nodes" / "audio" / "channel_mix.json"
CASES = json.loads(GOLDEN.read_text())["cases"]


def response(inputs: int, outputs: int, **params: object) -> NDArray[np.float32]:
    """The matrix that the node applies: one impulse per input channel."""
    node = ChannelMix(channels=outputs, **params)
    return node.process(Audio(np.eye(inputs, dtype=np.float32), 48000)).samples


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_downmix_of_bs775(case: dict[str, list[list[float]]]) -> None:
    expected = np.array(case["matrix"])
    outputs, inputs = expected.shape
    np.testing.assert_allclose(response(inputs, outputs, normalize=False), expected, atol=5e-5)


def test_stereo_to_mono_is_the_mean() -> None:
    samples = np.array([[1.0, 0.5, -1.0], [1.0, -0.5, 0.0]], np.float32)
    out = ChannelMix().process(Audio(samples, 16000))
    assert out.samples.tolist() == [[1.0, 0.0, -0.5]]


def test_mono_goes_in_full_to_left_and_right_or_to_the_centre() -> None:
    assert response(1, 2).tolist() == [[1], [1]]
    assert response(1, 4).tolist() == [[1], [1], [0], [0]]
    assert response(1, 6).tolist() == [[0], [0], [1], [0], [0], [0]]


def test_upmix_keeps_channels_in_place() -> None:
    assert response(2, 6).tolist() == [[1, 0], [0, 1], [0, 0], [0, 0], [0, 0], [0, 0]]
    assert response(4, 6)[[0, 1, 4, 5]].tolist() == np.eye(4).tolist()


def test_back_channels_go_to_the_sides() -> None:
    matrix = response(8, 6, normalize=False)
    np.testing.assert_allclose(matrix[4], [0, 0, 0, 0, 0.7071, 0, 1, 0], atol=5e-5)
    np.testing.assert_allclose(response(7, 2, normalize=False)[0, 4], 0.5, atol=5e-5)


def test_beyond_eight_channels() -> None:
    assert response(12, 1).tolist() == [[np.float32(1 / 12)] * 12]
    np.testing.assert_array_equal(response(12, 10), np.eye(12)[:10])
    np.testing.assert_array_equal(response(2, 10), np.eye(10)[:, :2])


@given(inputs=st.integers(1, 12), outputs=st.integers(1, 12), seed=st.integers(0, 99))
def test_normalized_output_never_exceeds_the_input(inputs: int, outputs: int, seed: int) -> None:
    samples = np.sign(np.random.default_rng(seed).standard_normal((inputs, 64)))
    out = ChannelMix(channels=outputs).process(Audio(samples, 48000))
    assert out.samples.shape == (outputs, 64)
    assert np.abs(out.samples).max() <= 1 + 2**-22  # float32 rounding of at most 12 terms


@given(inputs=st.integers(1, 8), outputs=st.integers(1, 8))
def test_only_lfe_is_ever_lost(inputs: int, outputs: int) -> None:
    for position, column in zip(
        LAYOUTS[inputs], np.array(mix_matrix(inputs, outputs)).T, strict=True
    ):
        lost = position == "LFE" and "LFE" not in LAYOUTS[outputs]
        # The least is what a back channel gives to mono: three folds of 3 dB.
        assert np.abs(column).sum() == 0 if lost else 0.35 < np.abs(column).sum() <= 2


def test_own_matrix_is_used_as_it_is() -> None:
    node = ChannelMix(channels=2, matrix=[[0, 2], [-1, 0.5]])
    out = node.process(Audio(np.array([[1, 2], [3, 4]], np.float32), 8000))
    assert out.samples.tolist() == [[6, 8], [0.5, 0]]


def test_products_and_sums_are_rounded_one_by_one() -> None:
    # A fused multiply-add, or another order, would give other bits on other machines.
    samples = np.random.default_rng(3).uniform(-1, 1, (6, 500)).astype(np.float32)
    out = ChannelMix(channels=2).process(Audio(samples, 48000)).samples
    matrix = np.array(mix_matrix(6, 2))
    matrix /= matrix.sum(axis=1).max()
    for row, factors in zip(out, matrix, strict=True):
        for frame in range(500):
            total = np.float32(0)
            for sample, factor in zip(samples[:, frame], factors, strict=True):
                if factor:
                    total = np.float32(total + np.float32(sample * np.float32(factor)))
            assert row[frame] == total


def test_as_many_channels_are_handed_on() -> None:
    block = Audio(np.zeros((2, 5), np.float32), 8000)
    assert ChannelMix(channels=2).process(block) is block


def test_the_number_of_input_channels_may_change() -> None:
    node = ChannelMix(channels=2)
    shapes = [
        node.process(Audio(np.ones((channels, 4), np.float32), 8000, pts_us=9)).samples.shape
        for channels in (1, 6, 2, 1)
    ]
    assert shapes == [(2, 4)] * 4


def test_stamp_and_metadata_stay() -> None:
    out = ChannelMix().process(Audio(np.ones((2, 4), np.float32), 8000, 9, "s", {"k": 1}))
    assert (out.pts_us, out.stream_id, out.metadata) == (9, "s", {"k": 1})
    assert not out.samples.flags.writeable


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"channels": 2, "matrix": [[1, 0]]}, "1 rows, but channels is 2"),
        ({"channels": 2, "matrix": [[1, 0], [1]]}, "rows of matrix have \\[2, 1\\]"),
    ],
)
def test_a_matrix_that_does_not_fit(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ParamsError, match=message):
        ChannelMix(make_params(ChannelMix, fields))


def test_audio_that_does_not_fit_the_matrix() -> None:
    node = ChannelMix(channels=1, matrix=[[1, 0]])
    with pytest.raises(DataError, match="2 coefficients per row, but the audio has 3"):
        node.process(Audio(np.ones((3, 4), np.float32), 8000))


def test_parameters() -> None:
    params = make_params(ChannelMix, {"targetChannels": 2})
    assert isinstance(params, ChannelMix.Params)
    assert params.channels == 2
    with pytest.raises(ParamsError, match="channels"):
        make_params(ChannelMix, {"channels": 0})


def test_formats() -> None:
    params = ChannelMix.Params(channels=2)
    assert str(ChannelMix.output_ports(params)["out"]) == "audio(channels=2, format=F32)"
    caps = {"in": parse_caps("audio(sample_rate=16000, channels=6, format=F32)")}
    assert str(ChannelMix.output_formats(params, caps)["out"]) == (
        "audio(sample_rate=16000, channels=2, format=F32)"
    )
    own = ChannelMix.Params(channels=1, matrix=[[1.0, 0.0, 0.0]])
    assert str(ChannelMix.input_ports(own)["in"]) == "audio(channels=3, format=F32)"
