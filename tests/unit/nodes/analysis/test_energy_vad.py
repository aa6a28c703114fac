"""EnergyVAD. Judged by signals whose speech is known, and by Silero VAD on a real recording."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from remotemedia.data import Audio, Json
from remotemedia.errors import DataError, ParamsError
from remotemedia.node import Emit, make_params
from remotemedia.nodes.analysis.energy_vad import AUDIO, SEGMENTS, EnergyVAD

GOLDEN = Path(__file__).parents[3] / "golden/nodes/analysis"
RATE = 16_000
Samples = NDArray[np.float32]


def outputs(result: Any) -> list[Any]:
    """What `process` gave, as a list."""
    return [] if result is None else result if isinstance(result, list) else [result]


def run(node: EnergyVAD, *blocks: Audio) -> list[Emit]:
    return [item for block in blocks for item in outputs(node.process(block))] + list(node.finish())


def feed(samples: Samples, rate: int = RATE, **params: Any) -> list[Emit]:
    """What comes of a signal that is given in blocks of 20 ms."""
    blocks = np.split(np.atleast_2d(samples), range(rate // 50, samples.shape[-1], rate // 50), 1)
    node = EnergyVAD(make_params(EnergyVAD, params))
    return run(node, *(Audio(block, rate) for block in blocks))


def events(items: Iterable[Emit]) -> list[dict[str, Any]]:
    return [item.data.value for item in items if item.port == SEGMENTS]  # type: ignore[attr-defined]


def spans(items: Iterable[Emit]) -> list[tuple[int, int]]:
    ends = [event for event in events(items) if event["event"] == "end"]
    return [(event["start_sample"], event["end_sample"]) for event in ends]


def blocks_of(items: Iterable[Emit]) -> list[Audio]:
    return [item.data for item in items if item.port == AUDIO]  # type: ignore[misc]


def noise(seconds: float, dbfs: float, seed: int = 1) -> Samples:
    """White noise of an RMS level, its mean taken off for less hum."""
    x = np.random.RandomState(seed).standard_normal(round(seconds * RATE))
    return np.asarray(x * 10 ** (dbfs / 20), np.float32)


def voice(seconds: float, dbfs: float = -20) -> Samples:
    """A buzz of 125 Hz whose loudness moves like that of syllables, four a second."""
    time = np.arange(round(seconds * RATE)) / RATE
    buzz = sum(np.sin(2 * np.pi * 125 * k * time) / k for k in range(1, 16))
    syllables = 0.55 - 0.45 * np.cos(2 * np.pi * 4 * time)
    x = buzz * syllables
    return (x / np.sqrt(np.mean(x * x)) * 10 ** (dbfs / 20)).astype(np.float32)


def place(background: Samples, *sounds: tuple[float, Samples]) -> Samples:
    x = background.copy()
    for at, sound in sounds:
        start = round(at * RATE)
        x[start : start + len(sound)] += sound
    return x


# -- what is speech ------------------------------------------------------------------------------


def test_segments_of_a_reading_are_those_of_silero() -> None:
    speech = np.load(GOLDEN / "speech.npy").astype(np.float32) / 2**15
    expected = json.loads((GOLDEN / "speech.json").read_text())["expected"]
    ours, theirs = np.zeros((2, len(speech)), bool)
    for mask, segments in ((ours, spans(feed(speech, 8000))), (theirs, expected)):
        for start, end in segments:
            mask[start:end] = True
    assert np.mean(ours == theirs) > 0.94
    assert np.sum(theirs & ~ours) < 0.05 * np.sum(theirs)  # missed
    assert np.sum(ours & ~theirs) < 0.15 * np.sum(~theirs)  # false alarm


@pytest.mark.parametrize("dbfs", [-90, -60, -40, -20])
def test_steady_noise_is_no_speech_from_the_start(dbfs: float) -> None:
    assert spans(feed(noise(8, dbfs))) == []


def test_digital_silence_and_noise_that_follows_are_no_speech() -> None:
    silence = np.zeros(3 * RATE, np.float32)
    assert spans(feed(silence)) == []
    assert spans(feed(np.concatenate([silence, noise(6, -40)]))) == []
    assert spans(feed(np.concatenate([silence, noise(2, -60), silence, noise(2, -60)]))) == []


def test_speech_after_digital_silence_is_found_at_once() -> None:
    found = spans(feed(place(np.zeros(5 * RATE, np.float32), (2.0, voice(1.5)))))
    assert len(found) == 1
    assert found[0] == pytest.approx((2.0 * RATE - 960, 3.5 * RATE + 1920), abs=0.08 * RATE)


def test_bursts_and_clicks_are_no_speech() -> None:
    bursts = [(2.0, noise(0.1, -6, 2)), (4.0, noise(0.2, -3, 3))]
    typing = [(5 + 0.2 * k, noise(0.01, -6, k)) for k in range(20)]
    assert spans(feed(place(noise(10, -60), *bursts, *typing))) == []


def test_noise_that_rises_is_taken_for_speech_for_the_window_at_most() -> None:
    found = spans(feed(np.concatenate([noise(5, -65), noise(10, -35)])))
    assert len(found) == 1
    start, end = found[0]
    assert start == pytest.approx(5 * RATE, abs=0.1 * RATE)
    assert end - start <= (3.0 + 0.4) * RATE


@pytest.mark.parametrize("dbfs", [-30, -35, -45])
def test_speech_over_a_fan(dbfs: float) -> None:
    time = np.arange(12 * RATE) / RATE
    hum = 10 ** (dbfs / 20) * np.sin(2 * np.pi * 100 * time)
    fan = noise(12, dbfs) + hum.astype(np.float32)
    found = spans(feed(place(fan, (4.0, voice(2.0)), (8.0, voice(1.0)))))
    assert len(found) == 2
    expected = [(4.0, 6.0), (8.0, 9.0)]
    for (start, end), (first, last) in zip(found, expected, strict=True):
        assert start == pytest.approx(first * RATE, abs=0.15 * RATE)
        assert end == pytest.approx(last * RATE, abs=0.15 * RATE)


def test_a_softer_speaker_is_found_after_a_pause() -> None:
    speech = [(1.0, voice(2.0, -15)), (13.0, voice(2.0, -40))]
    found = spans(feed(place(noise(16, -75), *speech)))
    assert [round(start / RATE) for start, _ in found] == [1, 13]


def test_the_level_of_the_whole_does_not_matter() -> None:
    x = place(noise(6, -60), (2.0, voice(1.0)), (4.0, voice(1.0)))
    loud = spans(feed(x, energy_threshold=0))
    assert len(loud) == 2
    assert spans(feed(x * np.float32(2**-10), energy_threshold=0)) == loud


def test_a_fixed_threshold() -> None:
    x = place(noise(6, -60), (1.0, voice(1.0, -20)), (4.0, voice(1.0, -45)))
    found = spans(feed(x, adaptive=False, energy_threshold=0.02))
    assert [round(start / RATE) for start, _ in found] == [1]


# -- where segments begin and end ----------------------------------------------------------------


def step(*parts: tuple[int, bool]) -> Samples:
    """Frames of 20 ms: so many of silence, or of a tone of 500 Hz that begins with the frame."""
    tone = 0.5 * np.sin(2 * np.pi * 500 * np.arange(320) / RATE)
    return np.concatenate(
        [np.tile(tone if on else np.zeros(320), count) for count, on in parts]
    ).astype(np.float32)


EDGES: dict[str, Any] = {"adaptive": False, "energy_threshold": 0.1}


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"pre_roll_ms": 0, "hangover_ms": 0}, [(50 * 320, 80 * 320), (110 * 320, 130 * 320)]),
        ({"pre_roll_ms": 15, "hangover_ms": 25}, [(15_760, 26_000), (34_960, 42_000)]),
        ({"pre_roll_ms": 900, "hangover_ms": 500}, [(1600, 33_600), (33_600, 49_600)]),
        ({"min_silence_ms": 620, "hangover_ms": 0}, [(16_000 - 960, 130 * 320)]),
        ({"min_speech_ms": 401}, [(16_000 - 960, 25_600 + 1920)]),
        (
            {"min_speech_ms": 0, "hangover_ms": 0},
            [(15_040, 25_600), (34_240, 41_600), (63_040, 64_640)],
        ),
    ],
)
def test_edges_to_the_sample(params: dict[str, Any], expected: list[tuple[int, int]]) -> None:
    x = step((50, False), (30, True), (30, False), (20, True), (70, False), (2, True), (28, False))
    assert spans(feed(x, **EDGES, **params)) == (
        expected if "min_speech_ms" in params else expected[:2]
    )


def test_events_and_what_they_say() -> None:
    items = feed(step((50, False), (30, True), (50, False), (20, True), (2, False)), **EDGES)
    start, end, again, last = events(items)
    assert start == {
        "event": "start",
        "segment": 1,
        "start_sample": 15_040,
        "start_us": 940_000,
        "known_us": 1_260_000,  # the 13th frame of sound reaches 250 ms
    }
    assert end.pop("snr_db") == pytest.approx(0, abs=0.01)  # a tone is all that is not silence
    assert end == {
        "event": "end",
        "segment": 1,
        "start_sample": 15_040,
        "end_sample": 27_520,
        "start_us": 940_000,
        "end_us": 1_720_000,
        "duration_us": 780_000,
        "reason": "silence",
        "known_us": 1_900_000,  # 300 ms of silence
    }
    assert (again["event"], again["segment"]) == ("start", 2)
    assert (last["end_sample"], last["reason"]) == (152 * 320, "end_of_input")
    assert last["known_us"] == 152 * 20_000
    assert all(Json(event) for event in (start, end, again, last))


def test_signal_to_noise_ratio() -> None:
    x = place(noise(6, -50), (3.0, voice(1.5, -20)))
    (end,) = [event for event in events(feed(x)) if event["event"] == "end"]
    assert 30 < end["snr_db"] < 50  # 30 dB, and what the band takes off white noise


def test_audio_is_exactly_that_of_the_segments() -> None:
    x = place(noise(8, -60), (1.0, voice(1.0)), (4.0, voice(2.0)))
    items = feed(x)
    found = spans(items)
    assert len(found) == 2
    order = [item.port if item.port == AUDIO else event["event"] for item, event in _zipped(items)]
    assert order[0] == "start"
    assert order[-1] == "end"
    assert order.count("start") == 2
    blocks = blocks_of(items)
    np.testing.assert_array_equal(
        np.concatenate([block.samples for block in blocks], axis=1)[0],
        np.concatenate([x[start:end] for start, end in found]),
    )
    for block in blocks:
        assert not block.samples.flags.writeable
        assert block.samples.flags.c_contiguous
        assert block.frames > 0


def _zipped(items: list[Emit]) -> list[tuple[Emit, dict[str, Any]]]:
    remaining = iter(events(items))
    return [(item, next(remaining) if item.port == SEGMENTS else {}) for item in items]


# -- streams -------------------------------------------------------------------------------------


def seen(items: list[Emit]) -> list[object]:
    return [
        (item.data.value, item.data.pts_us)
        if isinstance(item.data, Json)
        else (item.data.samples.tobytes(), item.data.pts_us, item.data.metadata)  # type: ignore[attr-defined]
        for item in items
    ]


@settings(max_examples=30)
@given(
    st.lists(st.integers(0, 40_000), max_size=15).map(sorted),
    st.sampled_from([8000, 11_025, 16_000]),
    st.integers(1, 2),
)
def test_nothing_depends_on_how_the_stream_is_cut(
    cuts: list[int], rate: int, channels: int
) -> None:
    x = place(noise(2.5, -60), (0.5, voice(0.7)), (1.8, voice(0.7)))
    x[9000] = np.nan
    samples = np.stack([x, x[::-1]][:channels])
    whole = seen(run(EnergyVAD(), Audio(samples, rate, pts_us=3)))
    pieces = np.split(samples, cuts, axis=1)
    stamps = [3 + round(start * 1_000_000 / rate) for start in [0, *cuts]]
    parts = [Audio(p, rate, pts_us=pts) for p, pts in zip(pieces, stamps, strict=True)]
    assert len(whole) > 20
    assert seen(run(EnergyVAD(), *parts)) == whole


def test_times_and_gaps() -> None:
    x = step((50, False), (30, True), (50, False), (30, True), (20, False))
    halves = np.split(x, [60 * 320])  # in the middle of the first sound: half a second is missing
    items = run(
        EnergyVAD(make_params(EnergyVAD, EDGES)),
        Audio(halves[0], RATE, pts_us=1000, metadata={"mic": 1}),
        Audio(halves[1], RATE, pts_us=1000 + 1_700_000, metadata={"mic": 1}),
    )
    first, second = [event for event in events(items) if event["event"] == "end"]
    assert (first["start_us"], first["end_us"]) == (941_000, 1000 + 1_720_000 + 500_000)
    assert first["duration_us"] == 780_000 + 500_000
    assert (second["start_us"], second["end_us"]) == (3_041_000, 3_821_000)
    stamps = [item.data.pts_us for item in items if item.port == SEGMENTS]
    assert stamps == [941_000, 2_221_000, 3_041_000, 3_821_000]
    blocks = blocks_of(items)
    expected = 941_000
    gaps = {}
    for block in blocks:
        metadata = dict(block.metadata or {})
        assert metadata.pop("mic") == 1
        if metadata:
            gaps[block.pts_us] = metadata["gap_us"]
            expected += metadata["gap_us"]
        assert block.pts_us == expected
        expected += block.duration_us
    assert gaps == {1_701_000: 500_000, 3_041_000: 820_000}


def test_without_stamps_times_count_from_the_start_and_gaps_are_marked_still() -> None:
    items = feed(step((50, False), (30, True), (50, False), (30, True), (20, False)), **EDGES)
    assert {item.data.pts_us for item in items} == {None}
    marks = [block.metadata["gap_us"] for block in blocks_of(items) if block.metadata]
    assert marks == [820_000]


def test_everything_comes_out_with_the_block_that_decides_it() -> None:
    # Though frames are decided on many at a time.
    x = step((50, False), (30, True), (5, False), (1, True), (40, False))
    node = EnergyVAD(make_params(EnergyVAD, EDGES))
    out = [[*outputs(node.process(Audio(b, RATE)))] for b in np.split(x, len(x) // 320)]
    assert [k for k, items in enumerate(out) if events(items)] == [50 + 13 - 1, 86 + 15 - 1]
    heard = [k for k, items in enumerate(out) if blocks_of(items)]
    assert heard == [*range(62, 86 + 6)]  # until the hangover of 120 ms ends
    assert {block.frames for k in heard[1:] for block in blocks_of(out[k])} == {320}


def test_another_format_ends_the_stream_and_begins_one() -> None:
    x = step((50, False), (30, True))
    node = EnergyVAD(make_params(EnergyVAD, EDGES))
    items = run(node, Audio(x, RATE, pts_us=0), Audio(np.stack([x, x]), RATE))
    ends = [event for event in events(items) if event["event"] == "end"]
    assert [event["end_us"] for event in ends] == [1_600_000, 3_200_000]
    assert [block.channels for block in blocks_of(items)][:: len(blocks_of(items)) - 1] == [1, 2]


def test_streams_are_separate() -> None:
    x = step((50, False), (30, True))
    node = EnergyVAD(make_params(EnergyVAD, EDGES))
    items = run(node, Audio(x, RATE, stream_id="a"), Audio(x[:320], RATE, stream_id="b"))
    assert {item.data.stream_id for item in items} == {"a"}
    assert spans(items) == [(15_040, 25_600)]


def test_reset_forgets() -> None:
    node = EnergyVAD(make_params(EnergyVAD, EDGES))
    x = step((50, False), (30, True))
    node.process(Audio(x, RATE))
    node.reset()
    assert list(node.finish()) == []
    assert seen(run(node, Audio(x, RATE))) == seen(feed(x, **EDGES))


def test_speech_that_is_not_confirmed_is_dropped_at_the_end() -> None:
    assert feed(step((50, False), (12, True)), **EDGES) == []
    assert feed(np.zeros(0, np.float32)) == []


def test_what_is_held_is_bounded() -> None:
    node = EnergyVAD(make_params(EnergyVAD, EDGES | {"pre_roll_ms": 200}))
    second = step((10, False), (15, True), (25, False))
    items = [item for _ in range(60) for item in outputs(node.process(Audio(second, RATE)))]
    assert len(spans(items)) == 60
    (stream,) = node._streams.values()
    assert len(stream._held) <= (200 + 300) // 20 + 2
    assert len(stream._out._anchors) <= 2


def test_any_channel_is_heard_and_none_cancelled() -> None:
    x = place(noise(4, -60), (2.0, voice(1.0)))
    alone = spans(feed(x))
    assert len(alone) == 1
    assert spans(feed(np.stack([x, -x]))) == alone


def test_a_rate_too_low_is_refused() -> None:
    with pytest.raises(DataError, match=r"at least 4000 Hz, not 3000: put an AudioResample"):
        EnergyVAD().process(Audio(np.zeros((1, 10), np.float32), 3000))


@pytest.mark.parametrize("fields", [{"frame_ms": 0}, {"threshold_db": -1}, {"min_speech_ms": -5}])
def test_params_are_checked(fields: dict[str, object]) -> None:
    with pytest.raises(ParamsError):
        make_params(EnergyVAD, fields)


def test_names_of_other_vads_are_understood() -> None:
    given = {"frameMs": 30, "speech_pad_ms": 40, "min_silence_duration_ms": 100}
    params = make_params(EnergyVAD, given)
    assert isinstance(params, EnergyVAD.Params)
    assert (params.frame_ms, params.pre_roll_ms, params.min_silence_ms) == (30, 40, 100)
