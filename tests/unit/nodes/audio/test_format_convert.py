from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remotemedia.caps import parse_caps
from remotemedia.data import Audio
from remotemedia.data.formats import AUDIO_DTYPES
from remotemedia.errors import ParamsError
from remotemedia.node import make_params
from remotemedia.nodes.audio.format_convert import AudioFormatConvert, tpdf

GOLDEN = Path(__file__).parents[3] / "golden" / "nodes" / "audio" / "format_convert.json"
CASES = json.loads(GOLDEN.read_text())


def convert(values: list[Any], source: str, target: str, **params: object) -> list[Any]:
    node = AudioFormatConvert(format=target, **params)
    return node.process(Audio(np.array(values, AUDIO_DTYPES[source]), 16000)).samples[0].tolist()


@pytest.mark.parametrize("case", CASES, ids=[f"{case['from']}-{case['to']}" for case in CASES])
def test_golden_values(case: dict[str, Any]) -> None:
    # Made by make_format_convert.py with exact fractions.
    assert convert(case["given"], case["from"], case["to"]) == case["expected"]


@pytest.mark.parametrize(("target", "silence"), [("I16", 0), ("I32", 0), ("U8", 128)])
def test_what_is_not_finite(target: str, silence: int) -> None:
    limits = np.iinfo(AUDIO_DTYPES[target])  # type: ignore[type-var]
    given_values = [np.nan, np.inf, -np.inf, 0.0]
    expected = [silence, limits.max, limits.min, silence]
    assert convert(given_values, "F32", target) == expected


@pytest.mark.parametrize("source", ["I16", "U8"])
@pytest.mark.parametrize("by", ["F32", "I32"])
def test_there_and_back_is_exact(source: str, by: str) -> None:
    limits = np.iinfo(AUDIO_DTYPES[source])  # type: ignore[type-var]
    every = list(range(limits.min, limits.max + 1))
    there = convert(every, source, by)
    assert convert(there, by, source) == every


@pytest.mark.parametrize("name", ["F32", "I16", "I32", "U8"])
def test_same_format_hands_the_block_on(name: str) -> None:
    block = Audio(np.zeros((2, 3), AUDIO_DTYPES[name]), 8000, pts_us=4)
    assert AudioFormatConvert(format=name, dither="tpdf").process(block) is block


def test_rate_channels_stamp_and_metadata_stay() -> None:
    block = Audio(np.zeros((3, 5), np.int16), 44100, 7, "s", {"k": 1})
    out = AudioFormatConvert(format="F32").process(block)
    assert (out.sample_rate, out.samples.shape) == (44100, (3, 5))
    assert (out.pts_us, out.stream_id, out.metadata) == (7, "s", {"k": 1})
    assert not out.samples.flags.writeable


# -- dither --------------------------------------------------------------------------------------


@given(
    sizes=st.lists(st.integers(0, 50), max_size=6),
    seed=st.integers(0, 2**53 - 1),
    target=st.sampled_from(["I16", "U8"]),
)
def test_dither_is_the_same_however_the_stream_is_cut(
    sizes: list[int], seed: int, target: str
) -> None:
    samples = np.random.default_rng(1).uniform(-1, 1, (2, 100)).astype(np.float32)
    whole = AudioFormatConvert(format=target, dither="tpdf", seed=seed)
    parts = AudioFormatConvert(format=target, dither="tpdf", seed=seed)
    expected = whole.process(Audio(samples, 8000)).samples
    pieces = np.split(samples, np.minimum(np.cumsum(sizes), 100), axis=1)
    out = [parts.process(Audio(piece, 8000)).samples for piece in pieces]
    np.testing.assert_array_equal(np.concatenate(out, axis=1), expected)


def test_noise_is_splitmix64() -> None:
    # The first outputs of SplitMix64 for the state 1234567, as published with the algorithm
    # (Rosetta Code, "Pseudo-random numbers/Splitmix64"), reproduce the generator of the test…
    assert splitmix64(1234567, 5) == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]
    # … and the noise is made of its bits.
    for channel in range(2):
        start = splitmix64(11 * 64 + channel, 1, scaled=True)[0]
        bits = splitmix64(start, 6)
        expected = [((b >> 40) - (b >> 16 & 0xFFFFFF)) / 2**24 for b in bits]
        assert tpdf(11, 2, 0, 6)[channel].tolist() == expected
        assert tpdf(11, 2, 4, 2)[channel].tolist() == expected[4:]


def splitmix64(state: int, count: int, *, scaled: bool = False) -> list[int]:
    mask, golden = 2**64 - 1, 0x9E3779B97F4A7C15
    state = state * golden & mask if scaled else state
    out = []
    for _ in range(count):
        state = (state + golden) & mask
        z = state
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & mask
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB & mask
        out.append(z ^ (z >> 31))
    return out


def test_noise_is_triangular_and_white() -> None:
    noise = tpdf(0, 2, 0, 100_000)
    assert np.abs(noise).max() < 1
    assert abs(noise.mean()) < 0.005
    assert noise.var() == pytest.approx(1 / 6, rel=0.02)  # of a triangle from −1 to 1
    assert (np.abs(noise) < 0.5).mean() == pytest.approx(0.75, abs=0.01)
    for other in (noise[0, 1:], noise[1, :-1]):
        assert abs(np.mean(noise[0, :-1] * other)) < 0.002


def test_dither_makes_the_mean_linear() -> None:
    # Without dither, a third of a step disappears; with it, the mean keeps it.
    samples = np.full((1, 100_000), 1 / 3 / 32768, np.float32)
    plain = AudioFormatConvert(format="I16").process(Audio(samples, 8000))
    assert not plain.samples.any()
    node = AudioFormatConvert(format="I16", dither="tpdf", seed=3)
    dithered = node.process(Audio(samples, 8000))
    assert dithered.samples.mean() == pytest.approx(1 / 3, abs=0.01)
    assert set(np.unique(dithered.samples)) <= {-1, 0, 1}


def test_dither_only_where_resolution_is_lost() -> None:
    values = list(range(-100, 100))
    assert convert(values, "I16", "I32", dither="tpdf") == [value * 65536 for value in values]
    assert convert(values, "I16", "F32", dither="tpdf") == [value / 32768 for value in values]
    assert convert(values, "I16", "U8", dither="tpdf") != convert(values, "I16", "U8")


def test_dither_saturates() -> None:
    out = convert([1.0, -1.0] * 500, "F32", "I16", dither="tpdf")
    assert max(out) == 32767
    assert min(out) == -32768


def test_dither_counts_every_stream_apart_and_reset_begins_anew() -> None:
    samples = np.full(50, 0.3 / 32768, np.float32)
    node = AudioFormatConvert(format="I16", dither="tpdf")
    first = node.process(Audio(samples, 8000, stream_id="a")).samples
    assert node.process(Audio(samples, 8000, stream_id="b")).samples.tolist() == first.tolist()
    assert node.process(Audio(samples, 8000, stream_id="a")).samples.tolist() != first.tolist()
    node.reset()
    assert node.process(Audio(samples, 8000, stream_id="a")).samples.tolist() == first.tolist()


# -- what it declares ----------------------------------------------------------------------------


@pytest.mark.parametrize("fields", [{"target": "i16"}, {"target_format": "I16"}, {"format": "I16"}])
def test_names_of_parameters(fields: dict[str, object]) -> None:
    params = make_params(AudioFormatConvert, fields)
    assert isinstance(params, AudioFormatConvert.Params)
    assert params.format == "I16"


def test_unknown_format() -> None:
    with pytest.raises(ParamsError, match="I24"):
        make_params(AudioFormatConvert, {"format": "I24"})


def test_formats() -> None:
    params = AudioFormatConvert.Params(format="I16")
    assert str(AudioFormatConvert.output_ports(params)["out"]) == "audio(format=I16)"
    caps = {"in": parse_caps("audio(sample_rate=16000, channels=1..2, format=F32)")}
    assert str(AudioFormatConvert.output_formats(params, caps)["out"]) == (
        "audio(sample_rate=16000, channels=1..2, format=I16)"
    )
