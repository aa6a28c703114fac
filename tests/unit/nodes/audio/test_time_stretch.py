"""TimeStretch. Judged by arithmetic, by the spectrum of tones, and by samples that show places."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import remotemedia as rm
from remotemedia.data import Audio
from remotemedia.node import make_params
from remotemedia.nodes.audio.time_stretch import TimeStretch
from remotemedia.nodes.audio.wsola import Wsola

SPEECH = Path(__file__).parents[3] / "golden/nodes/analysis/speech.npy"
SPEEDS = [0.5, 0.8, 1.05, 1.25, 2.0]


def outputs(result: Any) -> list[Audio]:
    return [] if result is None else result if isinstance(result, list) else [result]


def through(node: TimeStretch, blocks: Iterable[Audio]) -> list[Audio]:
    out = [each for block in blocks for each in outputs(node.process(block))]
    return [*out, *node.finish()]


def in_blocks(samples: NDArray[Any], rate: int, sizes: list[int], **fields: Any) -> list[Audio]:
    """In blocks of these sizes, in turns, with exact times."""
    found, start = [], 0
    while start < samples.shape[1]:
        size = sizes[len(found) % len(sizes)]
        pts_us = (2_000_000 * start + rate) // (2 * rate)
        found.append(Audio(samples[:, start : start + size], rate, pts_us, **fields))
        start += size
    return found


def stretched(
    samples: NDArray[Any], rate: int, sizes: list[int] | None = None, **params: Any
) -> NDArray[Any]:
    out = through(TimeStretch(**params), in_blocks(samples, rate, sizes or [rate // 50]))
    return np.concatenate([audio.samples for audio in out], axis=1)


def tone(frequency: float, rate: int, seconds: float, level: float = 0.5) -> NDArray[np.float32]:
    phase = 2 * np.pi * frequency / rate * np.arange(round(rate * seconds))
    return (level * np.sin(phase)).astype(np.float32)[np.newaxis]


def speech() -> NDArray[np.float32]:
    recording: NDArray[Any] = np.load(SPEECH)
    return recording.astype(np.float32)[np.newaxis] / 2**15


# -- what it is for ------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100, 48_000])
@pytest.mark.parametrize("speed", SPEEDS)
def test_the_pitch_stays(rate: int, speed: float) -> None:
    for frequency in (70.0, 220.0, 1_234.5):
        out = stretched(tone(frequency, rate, 4), rate, speed=speed)[0]
        # Rising zero crossings: an independent count of periods. A splice may cost or give one of
        # the periods that its cross-fade holds, but not on the average.
        rising = np.count_nonzero((out[:-1] < 0) & (out[1:] >= 0))
        assert rising / (len(out) / rate) == pytest.approx(frequency, rel=0.01)
        spectrum = np.abs(np.fft.rfft(out * np.hanning(len(out))))
        # Places are whole samples: half a sample at most in each hop of 10 ms.
        bound = 1.5 * rate / len(out) + frequency * 0.5 / (rate / 100)
        assert abs(spectrum.argmax() * rate / len(out) - frequency) < bound


@pytest.mark.parametrize("speed", SPEEDS)
@pytest.mark.parametrize("frequency", [70.0, 220.0, 1_234.5])
def test_no_clicks(speed: float, frequency: float) -> None:
    rate = 16_000
    given_samples = tone(frequency, rate, 3)
    out = stretched(given_samples, rate, speed=speed)
    # Between two samples of a cross-fade lies a step of either side, weighted, and what the fade
    # moves: at most 1.5 / 160 of their difference, which is at most twice the amplitude. At the
    # very end, the last fade may be shorter.
    step = 2 * np.pi * frequency / rate * 0.5 + 1.5 / 160 * 2 * 0.5
    assert np.abs(np.diff(out[0, :-400])).max() <= step
    # Where alike places meet, it is no more than the tone's own step, but for half a sample.
    half = 2 * math.sin(math.pi * frequency / rate / 2)
    usual = 2 * np.pi * frequency / rate * 0.5 + 1.5 / 160 * half * 0.5
    assert np.quantile(np.abs(np.diff(out[0, :-400])), 0.999) <= usual * 1.01


@pytest.mark.parametrize("speed", SPEEDS)
def test_a_tone_keeps_its_level(speed: float) -> None:
    out = stretched(tone(440, 48_000, 2), 48_000, speed=speed)[0].astype(np.float64)
    level_db = 10 * np.log10(np.mean(out**2) / (0.5**2 / 2))
    assert abs(level_db) < 0.1


@pytest.mark.parametrize("speed", SPEEDS)
def test_speech_keeps_its_level_and_spectrum(speed: float) -> None:
    given_samples = speech()
    out = stretched(given_samples, 8_000, speed=speed)
    before, after = (np.mean(x.astype(np.float64) ** 2) for x in (given_samples, out))
    assert abs(10 * np.log10(after / before)) < 0.5
    assert np.abs(out).max() <= np.abs(given_samples).max() * (1 + 1e-6)

    def bands(samples: NDArray[Any]) -> NDArray[np.float64]:
        """Power in bands of 250 Hz."""
        whole = samples[0, : samples.shape[1] // 256 * 256].reshape(-1, 256) * np.hanning(256)
        power = (np.abs(np.fft.rfft(whole)) ** 2).mean(axis=0)
        return power[1:129].reshape(16, 8).sum(axis=1)

    difference_db = 10 * np.log10(bands(out) / bands(given_samples))
    assert np.abs(difference_db).max() < 3  # of few syllables, some are skipped or repeated


def test_speech_is_where_it_should_be() -> None:
    # The power of 100 ms, at half the time: what was at t comes at t / 2, up to the search.
    given_samples = speech()[:, :96_000]
    out = stretched(given_samples, 8_000, speed=2)
    before = np.log10(1e-6 + (given_samples.reshape(-1, 800) ** 2).mean(axis=1))
    after = np.log10(1e-6 + (out.reshape(-1, 400) ** 2).mean(axis=1))
    assert np.corrcoef(before, after)[0, 1] > 0.9


def test_splices_are_as_seldom_as_the_search_allows() -> None:
    # Of noise, no place is like another: what is spliced shows as samples that the input has not.
    rate = 16_000
    noise = np.random.default_rng(1).uniform(-1, 1, (1, rate * 4)).astype(np.float32)
    out = stretched(noise, rate, speed=1.25)
    own = np.isin(out[0], noise[0]).mean()
    # Per output second 0.25 s are skipped, 12.5 times 20 ms at best and 10 ms each are mixed.
    assert 1 - 2 * 12.5 * 0.010 < own < 1 - 12.5 * 0.010 + 0.01


# -- exactly -------------------------------------------------------------------------------------


def test_an_empty_block_gives_nothing() -> None:
    for speed in (1, 1.25):
        assert through(TimeStretch(speed=speed), [Audio(np.zeros((1, 0), np.float32), 8_000)]) == []


@settings(max_examples=100)
@given(
    frames=st.integers(1, 3_000),
    speed=st.integers(5_000, 20_000),
    rate=st.sampled_from([1_000, 8_000, 11_025]),
    sizes=st.lists(st.integers(1, 700), min_size=1, max_size=5),
    channels=st.integers(1, 3),
    window_ms=st.sampled_from([4, 20, 33.3]),
    search_ms=st.sampled_from([2, 20, 60]),
)
def test_exact_counts_and_the_same_samples_in_any_blocks(
    frames: int,
    speed: int,
    rate: int,
    sizes: list[int],
    channels: int,
    window_ms: float,
    search_ms: float,
) -> None:
    rng = np.random.default_rng(frames)
    samples = rng.uniform(-1, 1, (channels, frames)).astype(np.float32)
    params = {"speed": speed / 10_000, "window_ms": window_ms, "search_ms": search_ms}
    whole = stretched(samples, rate, [frames], **params)
    assert whole.shape == (channels, -(-frames * 10_000 // speed))
    np.testing.assert_array_equal(stretched(samples, rate, sizes, **params), whole)


@pytest.mark.parametrize("channels", [1, 2])
def test_speed_1_is_the_input_itself(channels: int) -> None:
    samples = np.random.default_rng(2).uniform(-1, 1, (channels, 5_000)).astype(np.float32)
    for block in in_blocks(samples, 16_000, [1, 320, 7]):
        (out,) = outputs(TimeStretch().process(block))
        assert out.samples is block.samples
    node = TimeStretch()
    blocks = in_blocks(samples, 16_000, [1, 320, 7], stream_id="a", metadata={"x": 1})
    out = through(node, blocks)
    assert all(a.equals(b) for a, b in zip(out, blocks, strict=True))


@pytest.mark.parametrize("name", ["float32", "int16", "int32", "uint8"])
@pytest.mark.parametrize("speed", [*SPEEDS, 1.0])
def test_silence_stays_silence(name: str, speed: float) -> None:
    silence = 128 if name == "uint8" else 0
    out = stretched(np.full((2, 16_000), silence, name), 16_000, speed=speed)
    assert out.dtype == name
    assert out.shape == (2, math.ceil(16_000 / speed))
    assert (out == silence).all()


@pytest.mark.parametrize(
    ("name", "scale", "zero"),
    [("int16", 2**15 - 1, 0), ("int32", 2**31 - 1, 0), ("uint8", 127, 128)],
)
def test_integers_are_stretched_as_floats_are(name: str, scale: int, zero: int) -> None:
    # Exact in 8 bits, so that the splices are at the same places, and silent for a half: only the
    # shape says where.
    samples = np.rint(speech()[:, 8_000:24_000] * 127).astype(np.float32) / 127
    whole = np.rint(samples.astype(np.float64) * scale + zero).astype(name)
    out = (stretched(whole, 8_000, speed=1.25).astype(np.float64) - zero) / scale
    expected = stretched(samples, 8_000, speed=1.25)
    np.testing.assert_allclose(out, expected, rtol=0, atol=0.51 / scale + 1e-6)


@pytest.mark.parametrize("speed", SPEEDS)
@pytest.mark.parametrize("frames", range(3_200, 3_700, 29))
def test_the_end_is_the_end_of_the_input(speed: float, frames: int) -> None:
    # A count: a step of it shows how far a splice goes, and in how many samples it fades.
    samples = np.arange(frames, dtype=np.float32)[np.newaxis]
    out = stretched(samples, 16_000, [320], speed=speed)[0]
    assert out[-1] == pytest.approx(frames - 1, abs=0.1)  # a fade may end there
    # The search, what the tempo takes in a hop, and in the at most five hops to the end.
    farthest = 320 + (1 + 5) * 160 * abs(speed - 1)
    assert np.abs(np.diff(out)).max() <= 1 + 1.5 * farthest / 160 + 0.01


def test_channels_are_spliced_at_the_same_places() -> None:
    left = speech()[0]
    both = np.stack([left, -0.5 * left])
    out = stretched(both, 8_000, speed=1.25)
    np.testing.assert_array_equal(out[1], -0.5 * out[0])  # halving is exact
    # Against each other they would cancel in a sum; the splices are those of the mono signal.
    np.testing.assert_array_equal(out[0], stretched(both[:1], 8_000, speed=1.25)[0])


def test_what_is_not_finite_counts_as_0() -> None:
    samples = tone(300, 16_000, 0.5)
    zeros = samples.copy()
    for place, value in ((100, np.nan), (3_000, np.inf), (5_000, -np.inf)):
        samples[0, place], zeros[0, place] = value, 0
    for speed in (1, 1.25):
        np.testing.assert_array_equal(
            stretched(samples, 16_000, speed=speed), stretched(zeros, 16_000, speed=speed)
        )


# -- time ----------------------------------------------------------------------------------------


def test_the_output_has_a_time_line_of_its_own() -> None:
    node = TimeStretch(speed=1.25)
    rate = 44_100
    blocks = in_blocks(speech()[:, :30_000], rate, [882, 7, 1_000], stream_id="a")
    out = through(node, [block.replace(pts_us=block.pts_us + 5_000_000) for block in blocks])
    sent = 0
    for audio in out:
        assert audio.pts_us == 5_000_000 + math.floor(sent * 1_000_000 / rate + 0.5)
        assert audio.stream_id == "a"
        sent += audio.frames
    assert sent == 24_000


def test_a_gap_ends_what_was_before_it() -> None:
    rate = 8_000
    first = in_blocks(speech()[:, :4_000], rate, [160])
    later = [block.replace(pts_us=block.pts_us + 700_000) for block in first]
    out = through(TimeStretch(speed=1.25), [*first, *later])
    marked = [i for i, audio in enumerate(out) if audio.metadata]
    assert [out[i].metadata for i in marked] == [{"gap_us": 200_000}]
    before, after = out[: marked[0]], out[marked[0] :]
    assert sum(audio.frames for audio in before) == sum(audio.frames for audio in after) == 3_200
    assert after[0].pts_us == 400_000 + 200_000
    joined = [np.concatenate([a.samples for a in part], axis=1) for part in (before, after)]
    np.testing.assert_array_equal(*joined)


def test_after_a_gap_the_time_line_is_still_its_own() -> None:
    rate = 8_000
    node = TimeStretch(speed=2)
    out = [a for b in in_blocks(speech()[:, :8_000], rate, [160]) for a in outputs(node.process(b))]
    node.update(make_params(TimeStretch, {"speed": 1}))
    later = [
        block.replace(pts_us=block.pts_us + 1_300_000)
        for block in in_blocks(speech()[:, :8_000], rate, [160])
    ]
    out += through(node, later)
    marked = next(i for i, audio in enumerate(out) if audio.metadata)
    # 1 s was played in half of it, but for what stayed back at the change.
    first_us = sum(audio.frames for audio in out[:marked]) * 125
    assert first_us == pytest.approx(500_000, abs=60_000)
    sent = 0
    for audio in out[marked:]:
        assert audio.pts_us == first_us + 300_000 + sent * 125
        sent += audio.frames
    assert sent == 8_000


def test_another_format_goes_on_in_the_output_s_time() -> None:
    first = in_blocks(speech()[:, :4_000], 8_000, [160])
    second = Audio(np.zeros((2, 1_600), np.int16), 16_000, 500_000)
    out = through(TimeStretch(speed=2), [*first, second])
    assert sum(a.frames for a in out if a.channels == 1) == 2_000
    stereo = [a for a in out if a.channels == 2]
    assert sum(a.frames for a in stereo) == 800
    assert stereo[0].pts_us == 250_000
    assert stereo[0].metadata is None


def test_another_format_at_speed_1_goes_on_in_the_output_s_time_too() -> None:
    node = TimeStretch(speed=2)
    blocks = in_blocks(speech()[:, :4_000], 8_000, [160])
    first = [a for b in blocks for a in outputs(node.process(b))]
    node.update(make_params(TimeStretch, {"speed": 1}))
    out = first + through(node, [Audio(np.zeros((2, 1_600), np.int16), 16_000, 500_000)])
    assert out[-1].channels == 2
    assert out[-1].frames == 1_600
    assert out[-1].pts_us == sum(a.frames for a in out if a.channels == 1) * 125 < 300_000


def test_without_time_stamps_there_are_none_until_one_comes() -> None:
    node = TimeStretch(speed=2)
    blocks = [Audio(np.zeros(800, np.float32), 8_000) for _ in range(4)]
    blocks[2] = blocks[2].replace(pts_us=1_200_000)
    out = through(node, blocks)
    # The block at 1.2 s is the third of 100 ms: the stream began at 1 s.
    sent = 0
    for audio in out:
        assert audio.pts_us in (None, 1_000_000 + sent * 125)
        sent += audio.frames
    assert out[0].pts_us is None
    assert out[-1].pts_us is not None


def test_latency_is_none_at_speed_1_and_bounded_at_others() -> None:
    rate = 16_000
    for speed in SPEEDS:
        node, out = TimeStretch(speed=speed), 0
        for count, block in enumerate(in_blocks(speech(), rate, [160]), start=1):
            out += sum(audio.frames for audio in outputs(node.process(block)))
            # 20 ms of the output stay back, or 25 ms, and what is less than a hop.
            behind = count * 160 - out * speed
            assert behind <= max(speed * 320, 400) + speed * 160


# -- changes -------------------------------------------------------------------------------------


def test_the_speed_changes_while_it_runs() -> None:
    rate = 16_000
    node = TimeStretch()
    counts = []
    blocks = iter(in_blocks(np.tile(tone(200, rate, 1), 4), rate, [320]))
    out: list[Audio] = []
    for speed in (1, 1.25, 1, 0.5):
        node.update(make_params(TimeStretch, {"speed": speed}))
        made = [a for _ in range(50) for a in outputs(node.process(next(blocks)))]
        counts.append(sum(a.frames for a in made))
        out += made
    out += node.finish()
    # Up to what stays back, each second gives 1 / speed of itself.
    for count, expected in zip(counts, (16_000, 12_800, 16_000, 32_000), strict=True):
        assert abs(count - expected) <= 1.5 * 320 + 320
    assert abs(sum(a.frames for a in out) - 76_800) <= 3 * 320
    joined = np.concatenate([a.samples[0] for a in out])
    assert np.abs(np.diff(joined)).max() <= 2 * np.pi * 200 / rate * 0.5 + 1.5 / 160


async def test_the_speed_of_a_live_session(clock: Any) -> None:
    p = rm.Pipeline()
    p.add("TimeStretch", id="t")
    async with p.session(clock=clock) as s:
        for block in in_blocks(np.zeros((1, 16_000), np.float32), 16_000, [1_600]):
            if block.pts_us == 500_000:
                await s.bus.set_params("t", speed=2)
            await s.send(block)
            for _ in range(3):
                await rm.clock.sleep(clock, 1)
        await s.finish()
        got = [packet async for packet in s.outputs()]
    assert sum(packet.data.frames for packet in got) == 8_000 + 4_000


def test_what_is_left_goes_on_into_what_follows() -> None:
    # As a session does when it has caught up: no splice at the end, and the next sample fits.
    samples = np.arange(16_000, dtype=np.float32)[np.newaxis]
    wsola = Wsola(samples, 16_000, speed=1.25)
    out = [wsola.push(samples[:, :7_000]), wsola.rest(samples[:, 7_000:8_000])]
    assert wsola.position == 8_000
    joined = np.concatenate(out, axis=1)[0]
    assert joined[-1] == 7_999
    assert len(joined) == 8_000 - wsola.skipped
    # A fifth of what was stretched, less what stayed back and the lag that a splice makes up for.
    assert 7_000 / 5 - 400 / 5 - 320 <= wsola.skipped <= 7_000 / 5
