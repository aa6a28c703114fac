"""AudioLevel. Judged by EBU Tech 3341 and 3342 (2023), and by arithmetic."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from remotemedia.data import Audio, Json
from remotemedia.errors import DataError, ParamsError
from remotemedia.node import make_params
from remotemedia.nodes.analysis.level import AudioLevel

RATE = 48_000
Samples = NDArray[np.float64]
Value = dict[str, Any]


def outputs(result: Any) -> list[Any]:
    """What `process` gave, as a list."""
    return [] if result is None else result if isinstance(result, list) else [result]


def run(node: AudioLevel, *blocks: Audio) -> list[Json]:
    return [report for block in blocks for report in outputs(node.process(block))] + list(
        node.finish()
    )


def measure(samples: Samples, rate: int = RATE, **params: Any) -> list[Value]:
    """The values of all reports, the final one last; given in blocks of 100 ms."""
    blocks = np.split(samples, range(rate // 10, samples.shape[1], rate // 10), axis=1)
    node = AudioLevel(make_params(AudioLevel, params))
    return [report.value for report in run(node, *(Audio(block, rate) for block in blocks))]


def tone(dbfs: float | list[float], seconds: float, rate: int = RATE) -> Samples:
    """1 kHz, the same phase in all channels; stereo, or a peak level for each channel."""
    levels = np.array([dbfs] * 2 if isinstance(dbfs, (int, float)) else dbfs)
    time = np.arange(round(seconds * rate)) / rate
    return 10 ** (levels[:, np.newaxis] / 20) * np.sin(2 * np.pi * 1000 * time)


def silence(seconds: float) -> Samples:
    return np.zeros((2, round(seconds * RATE)))


def join(*parts: Samples) -> Samples:
    return np.concatenate(parts, axis=1)


# -- EBU Tech 3341, table 1: minimum requirement test signals ------------------------------------
# 7 and 8 are programme recordings, 15 to 23 are of true peak: not here.

WITHIN = 0.1  # LU, in all of them


@pytest.mark.parametrize(("case", "dbfs"), [(1, -23.0), (2, -33.0)])
def test_tech_3341_steady_tone(case: int, dbfs: float) -> None:
    final = measure(tone(dbfs, 20))[-1]
    for figure in ("momentary_lufs", "short_term_lufs", "integrated_lufs"):
        assert final[figure] == pytest.approx(dbfs, abs=WITHIN)


@pytest.mark.parametrize(
    ("case", "parts"),
    [
        (3, [(-36, 10), (-23, 60), (-36, 10)]),
        (4, [(-72, 10), (-36, 10), (-23, 60), (-36, 10), (-72, 10)]),
        (5, [(-26, 20), (-20, 20.1), (-26, 20)]),
        (6, [([-28, -28, -24, -30, -30], 20)]),
    ],
)
def test_tech_3341_gated(case: int, parts: list[tuple[float, float]]) -> None:
    final = measure(join(*(tone(*part) for part in parts)), interval_ms=None)[-1]
    assert final["integrated_lufs"] == pytest.approx(-23.0, abs=WITHIN)


def test_tech_3341_6_with_a_silent_lfe() -> None:
    five = tone([-28, -28, -24, -30, -30], 5)
    six = np.insert(five, 3, 0.5, axis=0)  # not silent, to see that it does not count
    final = measure(six, interval_ms=None)[-1]
    assert final["integrated_lufs"] == measure(five, interval_ms=None)[-1]["integrated_lufs"]


@pytest.mark.parametrize(
    ("case", "loud_s", "soft_s", "times", "figure", "from_s"),
    [
        (9, 1.34, 1.66, 5, "short_term_lufs", 3),
        (12, 0.18, 0.22, 25, "momentary_lufs", 1),
    ],
)
def test_tech_3341_constant_while_the_tone_alternates(
    case: int, loud_s: float, soft_s: float, times: int, figure: str, from_s: int
) -> None:
    signal = join(*[tone(-20, loud_s), tone(-30, soft_s)] * times)
    reports = measure(signal, interval_ms=10)
    found = [r[figure] for r in reports if r["end_sample"] >= from_s * RATE]
    assert len(found) > 900
    assert found == pytest.approx([-23.0] * len(found), abs=WITHIN)


@pytest.mark.parametrize(
    ("case", "step_s", "tone_s", "figure"),
    [(10, 0.15, 3, "max_short_term_lufs"), (13, 0.02, 0.4, "max_momentary_lufs")],
)
@pytest.mark.parametrize("segment", [0, 1, 2, 7, 13, 19])
def test_tech_3341_maximum_of_a_file(
    case: int, step_s: float, tone_s: float, figure: str, segment: int
) -> None:
    signal = join(silence(segment * step_s), tone(-23, tone_s), silence(1))
    assert measure(signal, interval_ms=None)[-1][figure] == pytest.approx(-23.0, abs=WITHIN)


@pytest.mark.parametrize(
    ("case", "step_s", "tone_s", "figure"),
    [(11, 0.15, 3, "max_short_term_lufs"), (14, 0.02, 0.4, "max_momentary_lufs")],
)
def test_tech_3341_successive_maxima(case: int, step_s: float, tone_s: float, figure: str) -> None:
    parts = [
        (silence(k * step_s), tone(-38 + k, tone_s), silence(tone_s - k * step_s))
        for k in range(20)
    ]
    signal = join(*(part for segment in parts for part in segment))
    reports = measure(signal, interval_ms=round(2000 * tone_s))[:-1]
    assert [r[figure] for r in reports] == pytest.approx(list(range(-38, -18)), abs=WITHIN)


@pytest.mark.parametrize(
    ("case", "levels", "expected"),
    [
        (1, [-20, -30], 10),
        (2, [-20, -15], 5),
        (3, [-40, -20], 20),
        (4, [-50, -35, -20, -35, -50], 15),
    ],
)
def test_tech_3342_loudness_range(case: int, levels: list[float], expected: float) -> None:
    final = measure(join(*(tone(level, 20) for level in levels)), interval_ms=None)[-1]
    assert final["loudness_range_lu"] == pytest.approx(expected, abs=1)


@pytest.mark.parametrize(
    ("rate", "within"),
    [(8000, 0.22), (11_025, 0.12), (16_000, 0.05), (22_050, 0.05), (44_100, 0.02), (96_000, 0.02)],
)
def test_a_tone_has_the_same_loudness_at_every_rate(rate: int, within: float) -> None:
    final = measure(tone([-20.0], 4, rate), rate)[-1]
    # −20 dBFS in one channel is −23 LUFS: BS.1770-5, Annex 1.
    assert final["integrated_lufs"] == pytest.approx(-23.0, abs=within)
    assert final["momentary_lufs"] == pytest.approx(-23.0, abs=within)


# -- level ---------------------------------------------------------------------------------------


def test_reports_say_what_they_are_of() -> None:
    samples = np.concatenate([np.full((2, 4800), 0.5), np.full((2, 2405), 0.25)], axis=1)
    samples[1] *= -0.5
    first, final = measure(samples)
    assert first["kind"] == "interim"
    assert (first["start_sample"], first["end_sample"]) == (0, 4800)
    assert (first["start_us"], first["end_us"]) == (0, 100_000)
    assert first["channel_rms"] == [0.5, 0.25]
    assert first["channel_peak"] == [0.5, 0.25]
    assert first["rms"] == pytest.approx(math.sqrt((0.25 + 0.0625) / 2), rel=1e-15)
    assert first["rms_dbfs"] == pytest.approx(10 * math.log10(0.15625), rel=1e-15)
    assert first["peak"] == 0.5
    assert first["peak_dbfs"] == pytest.approx(20 * math.log10(0.5), rel=1e-14)
    assert final["kind"] == "final"
    assert (final["start_sample"], final["end_sample"]) == (0, 7205)
    assert final["end_us"] == 150_104  # 7205 / 48000 s = 150,104.17 µs
    mean = (4800 * 0.15625 + 2405 * 0.15625 / 4) / 7205
    assert final["rms"] == pytest.approx(math.sqrt(mean), rel=1e-14)


def test_a_full_scale_sine_has_minus_three_dbfs() -> None:
    assert measure(tone([0.0], 1))[-1]["rms_dbfs"] == pytest.approx(-3.0103, abs=1e-4)


@pytest.mark.parametrize(
    ("amplitude", "silent", "low"),
    [(0.0, True, True), (0.0009, True, True), (0.0011, False, True), (0.11, False, False)],
)
def test_flags(amplitude: float, silent: bool, low: bool) -> None:
    final = measure(np.full((1, 4800), amplitude))[-1]
    assert (final["is_silence"], final["is_low_volume"]) == (silent, low)
    final = measure(np.full((1, 4800), 0.01), silence_dbfs=-39, low_volume_dbfs=-41)[-1]
    assert (final["is_silence"], final["is_low_volume"]) == (True, False)


def test_silence_has_no_decibels_and_is_json() -> None:
    reports = run(AudioLevel(), Audio(np.zeros((1, 4 * RATE), np.float32), RATE))
    for report in reports:
        Json(report.value)  # refuses infinity
    names = ["rms_dbfs", "peak_dbfs", "momentary_lufs", "short_term_lufs", "integrated_lufs"]
    assert [reports[-1].value[name] for name in names] == [None] * 5


def test_samples_that_are_not_finite_count_as_zero_and_leave_no_trace() -> None:
    clean = tone([-20.0], 2)
    clean[0, [1000, 50_000, 50_001]] = 0
    broken = clean.copy()
    broken[0, [1000, 50_000, 50_001]] = [np.nan, np.inf, -np.inf]
    expected, found = measure(clean), measure(broken)
    assert [r.pop("non_finite_samples") for r in found] == [1] * 10 + [3] * 11
    assert [r.pop("non_finite_samples") for r in expected] == [0] * 21
    assert found == expected
    tail = np.zeros((1, 4800 + 7))
    tail[0, -1] = np.nan
    assert measure(tail)[-1]["non_finite_samples"] == 1


# -- streams -------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(
    st.lists(st.integers(0, 9000), max_size=12).map(sorted),
    st.sampled_from([8000, 11_025, 16_000]),
    st.integers(1, 3),
)
def test_reports_do_not_depend_on_how_the_stream_is_cut(
    cuts: list[int], rate: int, channels: int
) -> None:
    samples = np.random.RandomState(1).uniform(-1, 1, (channels, 9000)).astype(np.float32)
    samples[0, 4321] = np.nan
    whole = run(AudioLevel(), Audio(samples, rate, pts_us=7))
    pieces = np.split(samples, cuts, axis=1)
    starts = [7 + round(start * 1_000_000 / rate) for start in [0, *cuts]]
    blocks = [Audio(p, rate, pts_us=pts) for p, pts in zip(pieces, starts, strict=True)]
    found = run(AudioLevel(), *blocks)
    assert [(r.value, r.pts_us) for r in found] == [(r.value, r.pts_us) for r in whole]


def test_single_samples_give_the_same_reports() -> None:
    samples = np.random.RandomState(2).uniform(-1, 1, (1, 4100)).astype(np.float32)
    whole = run(AudioLevel(), Audio(samples, 8000))
    found = run(AudioLevel(), *(Audio(samples[:, n : n + 1], 8000) for n in range(4100)))
    assert [r.value for r in found] == [r.value for r in whole]


def test_times_follow_the_stamps_and_their_gaps() -> None:
    block = np.zeros((1, 800), np.float32)
    blocks = [Audio(block, 8000, pts_us=pts) for pts in (50, 100_050, 900_000)]
    reports = run(AudioLevel(), *blocks)
    assert [r.pts_us for r in reports] == [50, 100_050, 900_000, 50]
    assert [r.value["start_us"] for r in reports] == [50, 100_050, 900_000, 50]
    assert reports[-1].value["end_us"] == 1_000_000
    unstamped = run(AudioLevel(), Audio(block, 8000), Audio(block, 8000))
    assert [r.pts_us for r in unstamped] == [None] * 3
    assert [r.value["start_us"] for r in unstamped] == [0, 100_000, 0]


def test_a_gap_ends_the_stream_if_asked_to() -> None:
    # 1 s from 0 s, cut in two, and half as loud 0.5 s from 10 s.
    loud, soft = tone(-20, 1), tone(-26, 0.5)
    half = RATE // 2
    blocks = [
        Audio(loud[:, :half], RATE, 0),
        Audio(loud[:, half:], RATE, 500_400),  # the rounding of a sender is no gap
        Audio(soft, RATE, 10_000_000),
    ]
    params = {"interval_ms": None, "split_at_gaps": True}
    first, second = (r.value for r in run(AudioLevel(make_params(AudioLevel, params)), *blocks))
    assert [first["start_us"], first["end_us"]] == [0, 1_000_000]
    assert [second["start_us"], second["end_us"]] == [10_000_000, 10_500_000]
    assert [first["integrated_lufs"], second["integrated_lufs"]] == pytest.approx(
        [-20, -26], abs=0.1
    )
    assert [first["kind"], second["start_sample"], second["end_sample"]] == ["final", 0, half]


def test_another_format_ends_the_stream_and_begins_one() -> None:
    first = Audio(np.full((1, 800), 0.5, np.float32), 8000, pts_us=0)
    second = Audio(np.full((2, 1600), 0.25, np.float32), 16_000)
    reports = run(AudioLevel(interval_ms=None), first, second)
    assert [r.value["rms"] for r in reports] == [0.5, 0.25]
    assert [r.pts_us for r in reports] == [0, 100_000]


def test_streams_are_measured_separately() -> None:
    def block(value: float, stream: str | None) -> Audio:
        return Audio(np.full((1, 800), value, np.float32), 8000, stream_id=stream)

    node = AudioLevel(interval_ms=None)
    reports = run(node, block(0.5, "a"), block(0.25, None), block(0.5, "a"))
    found = [(r.stream_id, r.value["rms"], r.value["end_sample"]) for r in reports]
    assert found == [("a", 0.5, 1600), (None, 0.25, 800)]


def test_a_report_comes_out_with_the_block_that_completes_it() -> None:
    node = AudioLevel(interval_ms=50)
    sizes = [70, 320, 9, 1, 399, 1, 900]
    blocks = [Audio(np.ones((1, size), np.float32), 8000) for size in sizes]
    out = [[report.value["end_sample"] for report in outputs(node.process(b))] for b in blocks]
    assert out == [[], [], [], [400], [], [800], [1200, 1600]]


@pytest.mark.parametrize("params", [{}, {"interval_ms": None}, {"interval_ms": 30}], ids=str)
def test_without_loudness_all_else_is_the_same(params: dict[str, Any]) -> None:
    samples = np.random.RandomState(4).uniform(-1, 1, (2, 44_321))
    full = measure(samples, 44_100, **params)
    less = measure(samples, 44_100, loudness=False, **params)
    assert full[-1]["integrated_lufs"] is not None
    for report in full:
        report |= {name: None for name in report if name.endswith(("_lufs", "_lu"))}
    assert less == full


def test_without_loudness_any_number_of_channels_will_do() -> None:
    (report,) = measure(np.full((9, 1000), 0.5), 8_000, loudness=False, interval_ms=None)
    assert report["channel_rms"] == [0.5] * 9


def test_reset_forgets() -> None:
    node = AudioLevel()
    node.process(Audio(np.ones((1, 1000), np.float32), 8000))
    node.reset()
    assert list(node.finish()) == []
    quiet = Audio(np.zeros((1, 800), np.float32), 8000)
    assert [r.value for r in run(node, quiet)] == [r.value for r in run(AudioLevel(), quiet)]


def test_empty_input_gives_nothing() -> None:
    assert run(AudioLevel(), Audio(np.zeros((1, 0), np.float32), 8000)) == []
    assert run(AudioLevel()) == []


def test_weights_of_channels() -> None:
    one = measure(tone([-20.0], 1))[-1]["integrated_lufs"]
    doubled = measure(tone([-20.0], 1), channel_weights=[2])[-1]["integrated_lufs"]
    assert doubled == pytest.approx(one + 3.0103, abs=1e-4)
    rear = measure(tone([-200.0, -200, -20, -200], 1))[-1]["integrated_lufs"]
    assert rear == pytest.approx(one + 10 * math.log10(1.41), abs=1e-6)


def test_what_it_cannot_measure_is_refused_with_the_remedy() -> None:
    with pytest.raises(DataError, match=r"at least 4000 Hz, not 3999: put an AudioResample"):
        AudioLevel().process(Audio(np.zeros((1, 10), np.float32), 3999))
    with pytest.raises(DataError, match=r"knows no weights by BS\.1770 for audio of 7 channels"):
        AudioLevel().process(Audio(np.zeros((7, 10), np.float32), 8000))
    with pytest.raises(DataError, match="has 1 channel_weights for audio of 2 channels"):
        AudioLevel(channel_weights=(1.0,)).process(Audio(np.zeros((2, 10), np.float32), 8000))


@pytest.mark.parametrize(
    "fields",
    [{"interval_ms": 15}, {"interval_ms": 0}, {"silence_dbfs": 51}, {"channel_weights": []}],
)
def test_params_are_checked(fields: dict[str, object]) -> None:
    with pytest.raises(ParamsError):
        make_params(AudioLevel, fields)
