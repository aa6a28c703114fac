"""The health of simulated streams, against what the simulation was told to do."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator
from random import Random

import numpy as np
import pytest

from remotemedia.metrics import Metrics
from remotemedia.session.drift import StreamAlert, StreamHealth, StreamLimits, content_hash

MS = 1_000
SECOND = 1_000_000
EPOCH = 1_704_067_200 * SECOND  # arrival is UTC as a rule
NONE = StreamAlert(0)

Sample = tuple[int, int]  # pts and arrival, µs


def stream(
    count: int,
    interval_ms: float = 20,
    *,
    ppm: float = 0,
    jitter_ms: float = 0,
    pts_us: int = 0,
    delay_ms: float = 40,
    seed: int = 1,
) -> Iterator[Sample]:
    """Blocks of a sender whose clock is slow by so many parts per million, with normal jitter."""
    random = Random(seed)
    for number in range(count):
        media = number * interval_ms * MS
        late = delay_ms * MS + random.gauss(0, jitter_ms * MS)
        yield pts_us + round(media), EPOCH + round(media * (1 + ppm / 1e6) + late)


def feed(health: StreamHealth, samples: Iterator[Sample]) -> list[tuple[int, StreamAlert]]:
    """Number of the sample, and what it changed."""
    changes = []
    for number, (pts_us, arrival_us) in enumerate(samples):
        changed = health.observe(pts_us, arrival_us)
        if changed:
            changes.append((number, changed))
    return changes


def test_a_perfect_stream_is_healthy() -> None:
    health = StreamHealth("mic")
    assert feed(health, stream(5000)) == []
    assert health.health == pytest.approx(1)
    assert health.slope_ms_per_s == pytest.approx(0, abs=1e-6)
    assert health.lead_ms == 0
    assert health.cadence == pytest.approx(0, abs=1e-9)
    assert health.alerts == NONE


@pytest.mark.parametrize("ppm", [300, -300, 50, 3000])
@pytest.mark.parametrize("jitter_ms", [0, 2, 5])
@pytest.mark.parametrize("interval_ms", [20, 40])
def test_slope_of_a_known_drift(ppm: int, jitter_ms: float, interval_ms: int) -> None:
    """300 ppm are 0.3 ms/s; at most 5 ms/s are no alert."""
    health = StreamHealth()
    changes = feed(health, stream(3000, interval_ms, ppm=ppm, jitter_ms=jitter_ms))
    # 500 samples of weight e^-age/500: the standard error is jitter / (10 s · √500) ms/s.
    error = jitter_ms / (500 * interval_ms / 1000 * 500**0.5)
    assert health.slope_ms_per_s == pytest.approx(ppm / 1000, abs=4 * error + 1e-3)
    assert not any(changed & StreamAlert.DRIFT_SLOPE for _, changed in changes)
    assert health.lead_ms == pytest.approx(2999 * interval_ms * ppm / 1e6, abs=8 * jitter_ms + 0.1)


@pytest.mark.parametrize("ppm", [8000, -8000])
@pytest.mark.parametrize("jitter_ms", [0, 2])
def test_drift_alerts_and_clears(ppm: int, jitter_ms: float) -> None:
    health = StreamHealth()
    changes = feed(health, stream(1000, ppm=ppm, jitter_ms=jitter_ms))
    assert StreamAlert.DRIFT_SLOPE in health.alerts
    (raised,) = (number for number, changed in changes if changed & StreamAlert.DRIFT_SLOPE)
    # Warm-up of 50 samples, then five in a row; noise takes a while to be told from drift.
    assert raised == 53 if not jitter_ms else 53 <= raised < 300
    last = list(stream(1000, ppm=ppm))[-1]
    after = ((last[0] + 20 * MS * n, last[1] + 20 * MS * n) for n in range(1, 3000))
    changes = feed(health, after)
    assert [changed & StreamAlert.DRIFT_SLOPE for _, changed in changes].count(
        StreamAlert.DRIFT_SLOPE
    ) == 1
    assert health.alerts == NONE
    assert health.slope_ms_per_s == pytest.approx(0, abs=0.5)


@pytest.mark.parametrize("seed", range(20))
def test_jitter_is_no_drift(seed: int) -> None:
    health = StreamHealth()
    changes = feed(health, stream(2000, 40, jitter_ms=8, seed=seed))
    assert not any(changed & StreamAlert.DRIFT_SLOPE for _, changed in changes)


@pytest.mark.parametrize("step_ms", [150, -150, 101])
def test_a_single_jump_alerts(step_ms: int) -> None:
    health = StreamHealth()
    samples = [
        (pts, arrival + step_ms * MS * (n >= 200)) for n, (pts, arrival) in enumerate(stream(400))
    ]
    assert feed(health, iter(samples)) == [
        (200, StreamAlert.LEAD_JUMP),
        (210, StreamAlert.LEAD_JUMP),  # cleared: ten samples without one
    ]
    assert health.lead_ms == step_ms
    assert health.slope_ms_per_s == pytest.approx(0, abs=1e-6)  # a step is no drift
    assert health.cadence == pytest.approx(0, abs=1e-9)


def test_a_jump_of_the_limit_does_not_alert() -> None:
    health = StreamHealth()
    samples = [(p, a + 100 * MS * (n >= 200)) for n, (p, a) in enumerate(stream(400))]
    assert not any(changed & StreamAlert.LEAD_JUMP for _, changed in feed(health, iter(samples)))


def test_a_late_packet_that_is_made_up_for_is_no_drift() -> None:
    # Nothing for 200 ms, then all that was held back at once.
    samples = list(stream(600))
    stall = samples[300][1] + 200 * MS
    late = (
        (pts, max(arrival, stall) if n >= 300 else arrival)
        for n, (pts, arrival) in enumerate(samples)
    )
    health = StreamHealth()
    changes = feed(health, late)
    assert changes[0] == (300, StreamAlert.LEAD_JUMP)
    assert not any(changed & StreamAlert.DRIFT_SLOPE for _, changed in changes)
    assert health.slope_ms_per_s == pytest.approx(0, abs=1e-6)
    assert health.lead_ms == 0


def test_a_slope_goes_on_behind_a_step() -> None:
    health = StreamHealth()
    samples = stream(3000, ppm=1000)
    feed(health, ((p, a + 150 * MS * (n >= 2000)) for n, (p, a) in enumerate(samples)))
    assert health.slope_ms_per_s == pytest.approx(1.0, abs=0.05)


def test_cadence_is_the_coefficient_of_variation() -> None:
    random = Random(5)
    health = StreamHealth()
    pts = arrival = 0
    intervals = []
    for _ in range(60):  # while the mean is a plain one
        health.observe(pts, EPOCH + arrival)
        interval = round(random.uniform(15, 25) * MS)
        intervals.append(interval)
        pts += 20 * MS
        arrival += interval
    expected = statistics.pstdev(intervals[:-1]) / statistics.fmean(intervals[:-1])
    assert health.cadence == pytest.approx(expected)
    assert health.snapshot().interval_ms == pytest.approx(statistics.fmean(intervals[:-1]) / MS)


def test_bursts_are_unstable() -> None:
    # Four blocks at a time: intervals 0, 0, 0, 80 ms; their deviation is √3 of the mean.
    health = StreamHealth()
    samples = ((n * 20 * MS, EPOCH + n // 4 * 80 * MS) for n in range(1000))
    changes = feed(health, samples)
    assert (53, StreamAlert.CADENCE_UNSTABLE) in changes
    assert health.cadence == pytest.approx(3**0.5, rel=0.05)
    assert health.alerts == StreamAlert.CADENCE_UNSTABLE  # 1 - 0.2 is healthy enough
    assert health.health == pytest.approx(0.8, abs=0.01)


def frames(shown: list[int], interval_ms: int = 40) -> Iterator[tuple[int, int, int]]:
    for number, content in enumerate(shown):
        yield number * interval_ms * MS, EPOCH + number * interval_ms * MS, content


def freeze_changes(shown: list[int]) -> list[tuple[int, StreamAlert]]:
    health = StreamHealth("camera")
    changes = [(n, health.observe(*frame)) for n, frame in enumerate(frames(shown))]
    return [change for change in changes if change[1]]


def test_a_freeze_is_measured_from_the_first_frame_that_is_the_same() -> None:
    # 25 fps; frames 1000 to 1015 show the same: 600 ms. More than 500 ms: from frame 1013 on.
    shown = [*range(1000), *[1000] * 16, *range(1001, 1100)]
    assert freeze_changes(shown) == [
        (1013, StreamAlert.FREEZE),
        (1025, StreamAlert.FREEZE),  # cleared: 1016 is the first of ten that move
    ]


def test_a_stream_that_is_old_is_not_frozen_for_that() -> None:
    # 440 ms, long after the start; the reference system would alert.
    assert freeze_changes([*range(1000), *[1000] * 12, *range(1001, 1100)]) == []


def test_two_slow_frames_are_no_freeze() -> None:
    health = StreamHealth()
    for n, content in enumerate([0, 1, 2, 2, 3, 3, 4, 4]):
        assert health.observe(n * 600 * MS, EPOCH + n * 600 * MS, content) == NONE


def test_without_content_nothing_is_frozen() -> None:
    health = StreamHealth()
    feed(health, stream(200))
    assert health.frozen_ms == 0
    assert health.alerts == NONE


def test_frozen_time_and_health() -> None:
    health = StreamHealth()
    for frame in frames([*range(100), *[100] * 26]):
        health.observe(*frame)
    assert health.frozen_ms == 25 * 40
    assert health.health == pytest.approx(0.7)


@pytest.mark.parametrize("late_ms", [90, -90])
def test_skew_between_two_streams(late_ms: int) -> None:
    audio = StreamHealth("audio")
    video = StreamHealth("video", audio)
    changes = []
    sounds = list(stream(600))
    for n, (pts, arrival) in enumerate(stream(300, 40, delay_ms=40 + late_ms)):
        audio.observe(*sounds[2 * n])
        audio.observe(*sounds[2 * n + 1])
        changed = video.observe(pts, arrival)
        if changed:
            changes.append((n, changed))
    assert changes == [(53, StreamAlert.AV_SKEW)]
    assert video.skew_ms == pytest.approx(late_ms, abs=1e-6)
    assert audio.skew_ms is None
    assert video.health == pytest.approx(0.8)


def test_skew_within_the_limit() -> None:
    audio = StreamHealth("audio")
    video = StreamHealth("video", audio)
    for sound, frame in zip(stream(300, 40, pts_us=7), stream(300, 40, delay_ms=115), strict=True):
        audio.observe(*sound)
        assert video.observe(*frame) == NONE
    assert video.skew_ms == pytest.approx(75, abs=0.01)
    assert video.health == pytest.approx(1 - 0.2 * 75 / 80, abs=1e-3)


def test_health_is_the_formula_and_alerts() -> None:
    limits = StreamLimits()
    health = StreamHealth()
    feed(health, stream(2000, ppm=2500, jitter_ms=2))
    expected = 1 - 0.3 * health.slope_ms_per_s / 5 - 0.2 * health.cadence / 0.3
    assert health.slope_ms_per_s == pytest.approx(2.5, abs=0.05)
    assert health.health == pytest.approx(expected)
    assert limits.health < expected < 0.83
    # Twice the drift that is an alert, and bursts: 1 - 0.3 - 0.2.
    samples = [(n * 20 * MS, EPOCH + round(n // 2 * 40 * MS * 1.01)) for n in range(1500)]
    health = StreamHealth()
    feed(health, iter(samples))
    assert health.health == pytest.approx(0.5)
    assert health.alerts == (
        StreamAlert.DRIFT_SLOPE | StreamAlert.CADENCE_UNSTABLE | StreamAlert.HEALTH_LOW
    )


@pytest.mark.parametrize("pts_us", [0, 4_099_000 + 2_000_001])
def test_a_discontinuity_starts_anew(pts_us: int) -> None:
    """A step back, or of more than 2 s: 4.099 s is the time of the last sample."""
    health = StreamHealth()
    samples = [(n * 20 * MS + 99 * MS, EPOCH + n * 20_400) for n in range(201)]
    feed(health, iter(samples))
    assert health.alerts & StreamAlert.DRIFT_SLOPE
    raised = health.alerts
    assert health.observe(pts_us, EPOCH + 5 * SECOND) == raised  # cleared, at once
    assert health.alerts == NONE
    assert health.discontinuities == 1
    assert (health.lead_ms, health.slope_ms_per_s, health.health) == (0, 0, 1)
    assert (
        feed(
            health,
            ((pts_us + n * 20 * MS, EPOCH + 5 * SECOND + n * 20 * MS) for n in range(1, 300)),
        )
        == []
    )
    assert health.slope_ms_per_s == pytest.approx(0, abs=1e-6)
    assert health.samples == 201 + 1 + 299


def test_a_gap_of_two_seconds_is_none() -> None:
    health = StreamHealth()
    feed(health, stream(100))
    health.observe(99 * 20 * MS + 2 * SECOND, EPOCH + 99 * 20 * MS + 40 * MS + 2 * SECOND)
    assert health.discontinuities == 0


def test_no_clock_is_compared_while_warming_up() -> None:
    # What was held back at the start of a stream arrives in one piece.
    health = StreamHealth()
    samples = [(n * 20 * MS, EPOCH + max(n * 20, 600) * MS) for n in range(50)]
    samples[20] = (samples[20][0], samples[20][1] + 150 * MS)
    assert feed(health, iter(samples[:49])) == []
    assert health.health == 1


def test_a_clock_that_is_set_back_is_a_jump() -> None:
    health = StreamHealth()
    samples = [(p, a - 3600 * SECOND * (n >= 300)) for n, (p, a) in enumerate(stream(1500))]
    assert feed(health, iter(samples)) == [
        (300, StreamAlert.LEAD_JUMP),
        (310, StreamAlert.LEAD_JUMP),
    ]
    assert health.slope_ms_per_s == pytest.approx(0, abs=1e-3)


def test_hours_lose_no_precision() -> None:
    health = StreamHealth()
    feed(health, stream(500_000 // 5, 200, ppm=300, jitter_ms=1))  # 5.5 h
    assert health.slope_ms_per_s == pytest.approx(0.3, abs=0.01)


def test_limits_can_be_others() -> None:
    limits = StreamLimits(jump_ms=10, warm_up=5, clear_after=3)
    health = StreamHealth(limits=limits)
    samples = [(p, a + 11 * MS * (n >= 8)) for n, (p, a) in enumerate(stream(40))]
    assert feed(health, iter(samples)) == [
        (8, StreamAlert.LEAD_JUMP),
        (11, StreamAlert.LEAD_JUMP),
    ]


def test_snapshot_is_plain_data() -> None:
    audio = StreamHealth("audio")
    video = StreamHealth("video", audio)
    for sound, frame in zip(stream(60), stream(60, ppm=1000), strict=True):
        audio.observe(*sound)
        video.observe(*frame, content=7)
    plain = json.loads(Metrics((), (), None, (audio.snapshot(), video.snapshot())).to_json())
    heard, seen = plain["streams"]
    assert (heard["stream"], heard["samples"], heard["skew_ms"]) == ("audio", 60, None)
    assert seen["lead_ms"] == pytest.approx(59 * 20 * 1e-3)
    assert seen["frozen_ms"] == 59 * 20
    assert seen["alerts"] == 8 + 32
    expected = 1 - 0.3 - 0.3 * 1 / 5 - 0.2 * seen["skew_ms"] / 80
    assert seen["health"] == pytest.approx(expected, abs=1e-3)
    assert 0 <= seen["skew_ms"] <= 59 * 20 * 1e-3
    assert [int(alert) for alert in StreamAlert] == [1, 2, 4, 8, 16, 32]


@pytest.mark.parametrize("size", [0, 1, 100, 65_536, 65_537, 1920 * 1080 * 3])
def test_content_hash(size: int) -> None:
    pixels = np.random.default_rng(size).integers(0, 256, size, np.uint8)
    first = content_hash(pixels)
    assert first == content_hash(pixels.copy()) == content_hash(pixels.tobytes())
    if size:
        other = pixels.copy()
        other[: max(1, size // 100)] ^= 1
        assert content_hash(other) != first
        assert content_hash(pixels[:-1]) != first or size > 65_537
