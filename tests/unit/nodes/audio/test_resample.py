"""AudioResample. Judged by numpy's FFT, analytic sweeps and golden vectors checked with soxr."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from remotemedia.caps import parse_caps
from remotemedia.data import Audio
from remotemedia.errors import ParamsError, UnavailableError
from remotemedia.node import Context, make_params
from remotemedia.nodes.audio import polyphase
from remotemedia.nodes.audio.kaiser import Quality
from remotemedia.nodes.audio.polyphase import Filter, Polyphase
from remotemedia.nodes.audio.resample import AudioResample

GOLDEN = Path(__file__).parents[3] / "golden" / "nodes" / "audio"

# 44056 → 48000 has many segments, 8001 → 8000 and 191999 → 8000 have interpolated taps.
RATES = [
    (48000, 16000),
    (44100, 16000),
    (44100, 48000),
    (48000, 44100),
    (16000, 48000),
    (16000, 44100),
    (11025, 16000),
    (8000, 192000),
    (44056, 48000),
    (8001, 8000),
    (191999, 8000),
]


def run(node: AudioResample, *blocks: Audio) -> list[Audio]:
    out: list[Audio] = []
    for block in blocks:
        result = node.process(block)
        out += [] if result is None else [result] if isinstance(result, Audio) else result
    return [*out, *node.finish()]


def join(blocks: list[Audio]) -> NDArray[np.float32]:
    return np.concatenate([block.samples for block in blocks], axis=1)


def cut(samples: NDArray[Any], sizes: list[int]) -> list[NDArray[Any]]:
    """`samples` in blocks of these sizes, the rest in one."""
    return np.split(samples, np.minimum(np.cumsum(sizes), samples.shape[-1]), axis=-1)


def noise(frames: int, channels: int = 1) -> NDArray[np.float32]:
    return np.random.default_rng(7).uniform(-1, 1, (channels, frames)).astype(np.float32)


def resample(samples: NDArray[Any], source: int, target: int, quality: str = "high") -> Any:
    node = AudioResample(target_rate=target, quality=Quality(quality))
    return join(run(node, Audio(samples, source)))


# -- the samples ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "target"), [tuple(map(int, p.stem.split("_")[1:3])) for p in GOLDEN.glob("*_in.npy")]
)
def test_golden_sweeps(source: int, target: int) -> None:
    # Made by make_resample.py: Whittaker–Shannon interpolation, checked with scipy and soxr.
    sweep = np.load(GOLDEN / f"resample_{source}_{target}_in.npy")
    expected = np.load(GOLDEN / f"resample_{source}_{target}_out.npy").astype(float)
    error = resample(sweep, source, target)[0] - expected
    assert 10 * np.log10((expected**2).sum() / (error**2).sum()) >= 115


@pytest.mark.parametrize(("source", "target"), [(48000, 16000), (44100, 16000), (44100, 48000)])
def test_a_sweep_keeps_100_db(source: int, target: int) -> None:
    def sweep(rate: int) -> NDArray[np.float64]:
        time = np.arange(rate) / rate
        top = 0.88 * min(source, target) / 2
        return np.sin(2 * np.pi * (20 * time + (top - 20) * time**2 / 2))

    skip = target // 20  # the edges, where the sweep is switched on and off
    expected = sweep(target)[skip:-skip]
    error = resample(sweep(source), source, target)[0, skip:-skip] - expected
    assert 10 * np.log10((expected**2).mean() / (error**2).mean()) >= 100


@pytest.mark.parametrize(("quality", "least"), [("low", 60), ("medium", 90), ("high", 120)])
@pytest.mark.parametrize(("source", "target"), [(48000, 16000), (44100, 16000), (44100, 48000)])
def test_stop_band(source: int, target: int, quality: str, least: int) -> None:
    response, common = prototype(source, target, quality)
    rate = source * target // common  # of the prototype
    spectrum = np.abs(np.fft.rfft(response, 1 << 20))
    frequency = np.fft.rfftfreq(1 << 20, 1 / rate)
    nyquist = min(source, target) / 2
    level = 20 * np.log10(spectrum / spectrum[0])
    assert level[frequency >= nyquist].max() <= -least
    edge = {"low": 0.80, "medium": 0.85, "high": 0.90}[quality]
    assert np.abs(level[frequency <= edge * nyquist]).max() <= 0.01


def prototype(source: int, target: int, quality: str) -> tuple[NDArray[np.float64], int]:
    """The impulse response at the common multiple of both rates, from impulses at all phases."""
    common = math.gcd(source, target)
    up, down = target // common, source // common
    centre = down * -(-3000 // down)
    impulses = np.zeros((down, 2 * centre), np.float32)
    impulses[np.arange(down), centre + np.arange(down)] = 1
    stream = Polyphase(source, target, down, Quality(quality))
    out = np.concatenate((stream.push(impulses), stream.finish()), axis=1).astype(np.float64)
    when = np.arange(out.shape[1]) * down - (centre + np.arange(down)[:, None]) * up
    response = np.zeros(int(when.max() - when.min()) + 1)
    response[when - when.min()] = out
    return response, common


@pytest.mark.parametrize(("source", "target"), RATES)
def test_a_constant_stays_constant_inside(source: int, target: int) -> None:
    node = Polyphase(source, target, 1, Quality.HIGH)
    out = node.push(np.full((1, 6 * node.latency), 0.5, np.float32))[0]
    inside = out[2 * math.ceil(node.latency * target / source) :]
    assert len(inside)
    np.testing.assert_allclose(inside, 0.5, rtol=0, atol=2e-6)


def test_delay_is_compensated() -> None:
    samples = np.zeros(4800, np.float32)
    samples[2400] = 1
    out = resample(samples, 48000, 16000)[0]
    assert out.argmax() == 800
    np.testing.assert_array_equal(out[801:1600], out[799:0:-1])  # symmetric, to the bit


@pytest.mark.parametrize("frames", [1, 2, 3, 146, 147, 148, 1000])
@pytest.mark.parametrize(("source", "target"), [*RATES, (8000, 8000), (192000, 8000)])
def test_length_is_rounded_up(source: int, target: int, frames: int) -> None:
    assert resample(noise(frames), source, target).shape[1] == -(-frames * target // source)


@settings(max_examples=60, deadline=None)
@given(
    rates=st.sampled_from(RATES),
    quality=st.sampled_from(Quality),
    sizes=st.lists(st.integers(0, 700), max_size=12),
    frames=st.integers(1, 3000),
)
def test_any_chunking_gives_the_same_bits(
    rates: tuple[int, int], quality: Quality, sizes: list[int], frames: int
) -> None:
    samples = noise(frames, 2)
    whole = run(AudioResample(target_rate=rates[1], quality=quality), Audio(samples, rates[0]))
    blocks = [Audio(part, rates[0]) for part in cut(samples, sizes)]
    parts = run(AudioResample(target_rate=rates[1], quality=quality), *blocks)
    assert join(parts).tobytes() == join(whole).tobytes()


@pytest.mark.parametrize(("source", "target"), RATES)
def test_single_samples_give_the_same_bits(source: int, target: int) -> None:
    samples = noise(1200)
    blocks = [Audio(part, source) for part in cut(samples, [1] * 1200)]
    parts = join(run(AudioResample(target_rate=target), *blocks))
    assert parts.tobytes() == resample(samples, source, target).tobytes()


def rendered(
    filter_: Filter, first: int, count: int, buffer: NDArray[np.float32], origin: int
) -> NDArray[np.float32]:
    out = np.empty(count, np.float32)
    filter_.render(first, out, buffer, origin)
    return out


def test_every_output_is_the_same_sum_whatever_is_computed_with_it() -> None:
    # What chunk-invariance rests on: einsum's inner loop over the taps does not depend on the
    # number of rows, on where in memory they start, or on the strides between them.
    buffer = noise(3000)[0]
    for source, target in RATES:
        common = math.gcd(source, target)
        filter_ = Filter(target // common, source // common, Quality.MEDIUM)
        margin = filter_.reach + filter_.slack
        count = (len(buffer) - 2 * margin) * target // source
        if count <= 0:
            continue
        whole = rendered(filter_, 0, count, buffer, -margin)
        for shift in (1, 2, 3, 5):
            moved = np.concatenate((np.zeros(shift, np.float32), buffer))[shift:]
            assert rendered(filter_, 0, count, moved, -margin).tobytes() == whole.tobytes()
        for first in range(0, count, max(1, count // 40)):
            one = rendered(filter_, first, 1, buffer, -margin)
            assert one.tobytes() == whole[first : first + 1].tobytes()


def test_interpolated_taps_are_as_good_as_exact_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = noise(2000)
    exact = Filter(160, 147, Quality.HIGH)
    monkeypatch.setattr(polyphase, "MAX_BANK", 0)
    table = Filter(160, 147, Quality.HIGH)
    assert exact.table is None
    assert table.table is not None
    padded = np.concatenate((np.zeros(200), samples[0], np.zeros(200))).astype(np.float32)
    difference = rendered(exact, 0, 2000, padded, -200) - rendered(table, 0, 2000, padded, -200)
    assert np.abs(difference).max() < 10 ** (-123 / 20)


def test_memory_is_bounded_for_every_ratio() -> None:
    for source, target in [(191999, 192000), (192000, 191999), (191999, 8000), (8000, 191999)]:
        filter_ = Filter(target, source, Quality.HIGH)
        taps = [part.taps.size for part in filter_.segments]
        taps += [part.size for part in filter_.table or ()]
        assert sum(taps) < 1_500_000  # 6 MB


def test_channels_do_not_mix() -> None:
    samples = noise(1000, 3)
    together = resample(samples, 44100, 16000)
    for row, channel in zip(together, samples, strict=True):
        assert row.tobytes() == resample(channel, 44100, 16000)[0].tobytes()


@pytest.mark.parametrize(("source", "target"), [(11025, 16000), (8001, 8000)])
def test_samples_that_are_not_finite_count_as_zero(source: int, target: int) -> None:
    samples = noise(2000)
    broken = samples.copy()
    broken[0, [100, 700, 1500]] = np.nan, np.inf, -np.inf
    clean = samples.copy()
    clean[0, [100, 700, 1500]] = 0
    expected = resample(clean, source, target)
    assert resample(broken, source, target).tobytes() == expected.tobytes()


# -- the stream ----------------------------------------------------------------------------------


def test_same_rate_hands_the_block_on() -> None:
    block = Audio(noise(100), 16000, pts_us=5)
    node = AudioResample(target_rate=16000)
    assert node.process(block) is block
    assert list(node.finish()) == []


def test_time_stamps_come_from_the_sample_count() -> None:
    blocks = [
        Audio(part, 44100, pts_us=1_000_000 if i == 0 else None)
        for i, part in enumerate(cut(noise(44100), [100] * 440))
    ]
    out = run(AudioResample(target_rate=48000), *blocks)
    sent = 0
    for block in out:
        assert block.pts_us == 1_000_000 + round(sent * 1_000_000 / 48000)
        assert block.sample_rate == 48000
        sent += block.frames
    assert sent == 48000


def test_no_time_stamp_in_none_out() -> None:
    assert {block.pts_us for block in run(AudioResample(), Audio(noise(960), 48000))} == {None}


def test_a_gap_is_marked_and_does_not_change_the_samples() -> None:
    samples = noise(1920)
    first, second = cut(samples, [960])
    blocks = [
        Audio(first, 48000, pts_us=0, metadata={"take": 1}),
        Audio(second, 48000, pts_us=70_000, metadata={"take": 2}),
    ]
    out = run(AudioResample(), *blocks)
    assert join(out).tobytes() == resample(samples, 48000, 16000).tobytes()
    # The 80 samples that the filter was waiting for come with the second block, cut at the gap.
    assert [(b.pts_us, b.frames, b.metadata) for b in out] == [
        (0, 240, {"take": 1}),
        (15_000, 80, {"take": 2}),
        (70_000, 240, {"take": 2, "gap_us": 50_000}),
        (85_000, 80, {"take": 2}),
    ]


def test_a_new_rate_ends_the_stream_and_starts_anew() -> None:
    before, after = noise(960), noise(441, 2)
    out = run(
        AudioResample(target_rate=16000),
        Audio(before, 48000, pts_us=0),
        Audio(after, 44100),
    )
    assert [block.channels for block in out] == [1, 1, 2, 2][: len(out)]
    mono = join([block for block in out if block.channels == 1])
    stereo = join([block for block in out if block.channels == 2])
    assert mono.tobytes() == resample(before, 48000, 16000).tobytes()
    assert stereo.tobytes() == resample(after, 44100, 16000).tobytes()
    assert next(block.pts_us for block in out if block.channels == 2) == 20_000


def test_to_the_same_rate_and_back() -> None:
    middle = Audio(noise(160), 16000)
    out = run(AudioResample(), Audio(noise(480), 48000, pts_us=0), middle, Audio(noise(480), 48000))
    assert any(block is middle for block in out)
    assert sum(block.frames for block in out) == 480
    assert [block.pts_us for block in out][-2:] != [None, None]


def test_streams_are_kept_apart() -> None:
    samples = noise(960, 2)
    blocks = [
        Audio(part[None, :], 48000, stream_id=name)
        for left, right in zip(cut(samples[0], [100] * 9), cut(samples[1], [100] * 9), strict=True)
        for name, part in (("left", left), ("right", right))
    ]
    out = run(AudioResample(), *blocks)
    for row, name in enumerate(("left", "right")):
        mine = join([block for block in out if block.stream_id == name])
        assert mine.tobytes() == resample(samples[row], 48000, 16000).tobytes()


def test_reset_forgets() -> None:
    node = AudioResample()
    node.process(Audio(noise(960), 48000, pts_us=0))
    node.reset()
    assert list(node.finish()) == []
    assert join(run(node, Audio(noise(500), 48000))).shape == (1, 167)


def test_empty_blocks_give_nothing() -> None:
    node = AudioResample()
    assert node.process(Audio(np.zeros((1, 0), np.float32), 48000)) is None
    assert list(node.finish()) == []


def test_outputs_are_read_only_and_contiguous() -> None:
    blocks = [Audio(noise(960), 48000, pts_us=0), Audio(noise(960), 48000, pts_us=90_000)]
    for block in run(AudioResample(), *blocks):
        assert not block.samples.flags.writeable
        assert block.samples.flags.c_contiguous
        assert block.samples.dtype == np.float32


# -- what it declares ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fields",
    [
        {"target_sample_rate": 8000},
        {"targetRate": 8000},
        {"targetSampleRate": 8000},
        {"output_rate": 8000},
        {"target_rate": 8000, "quality": "High"},
    ],
)
def test_names_of_parameters(fields: dict[str, object]) -> None:
    params = make_params(AudioResample, fields)
    assert isinstance(params, AudioResample.Params)
    assert params.target_rate == 8000
    assert params.quality == "high"


@pytest.mark.parametrize(
    "fields", [{"target_rate": 7999}, {"target_rate": 192001}, {"quality": "best"}]
)
def test_parameters_out_of_range(fields: dict[str, object]) -> None:
    with pytest.raises(ParamsError, match="AudioResample"):
        make_params(AudioResample, fields)


def test_formats() -> None:
    params = AudioResample.Params(target_rate=16000, channels=2)
    assert str(AudioResample.input_ports(params)["in"]) == (
        "audio(sample_rate=8000..192000, channels=2, format=F32)"
    )
    free = AudioResample.Params(target_rate=24000, source_rate=44100)
    assert str(AudioResample.input_ports(free)["in"]) == "audio(sample_rate=44100, format=F32)"
    assert str(AudioResample.output_ports(free)["out"]) == "audio(sample_rate=24000, format=F32)"
    given_caps = {"in": parse_caps("audio(sample_rate=44100, channels=1..8, format=[F32, I16])")}
    assert str(AudioResample.output_formats(free, given_caps)["out"]) == (
        "audio(sample_rate=24000, channels=1..8, format=F32)"
    )


def test_schema_has_units_and_the_three_qualities() -> None:
    schema = msgspec.json.schema(AudioResample.Params)
    assert "Hz" in str(schema)
    assert ["high", "low", "medium"] in [d.get("enum") for d in schema["$defs"].values()]


class _Clock:
    pass


def context() -> Context:
    return Context("r1", _Clock(), {}, {})  # type: ignore[arg-type]


def test_unknown_backend() -> None:
    node = AudioResample()
    node.backend = "cuda"
    with pytest.raises(ParamsError, match="'cuda': use one of numpy, soxr") as caught:
        node.open(context())
    assert caught.value.node == "r1"


def test_missing_soxr_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "soxr", None)
    node = AudioResample()
    node.backend = "soxr"
    with pytest.raises(UnavailableError, match="pip install soxr"):
        node.open(context())
