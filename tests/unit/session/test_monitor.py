"""Which streams a session is sent, and that each is watched by itself."""

from __future__ import annotations

import numpy as np
import pytest

import remotemedia as rm
from remotemedia.clock import sleep
from remotemedia.session.drift import StreamAlert, StreamHealth, StreamLimits
from remotemedia.session.monitor import MAX_STREAMS, StreamMonitor
from remotemedia.testing import VirtualClock

MS = 1_000
SECOND = 1_000_000
START = 1_704_067_200 * SECOND
SILENCE = np.zeros(960, np.float32)


class Changes:
    """What a monitor told: name, what changed, what is raised now."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, StreamAlert, StreamAlert]] = []

    def __call__(self, stream: StreamHealth, changed: StreamAlert) -> None:
        self.seen.append((stream.name, changed, stream.alerts))


def send(monitor: StreamMonitor, data: rm.Data, arrival_us: int, *nodes: str) -> None:
    targets = nodes or ("a",)
    monitor.sent([rm.Packet(data, node, "in", 0, 0, START + arrival_us) for node in targets])


def audio(pts_us: int | None, stream_id: str | None = None) -> rm.Audio:
    return rm.Audio(SILENCE, 48_000, pts_us, stream_id)


def video(pts_us: int, shade: int, stream_id: str | None = None) -> rm.Video:
    pixels = np.full((4, 4, 3), shade % 256, np.uint8)
    return rm.Video(pixels, 4, 4, pts_us=pts_us, stream_id=stream_id)


def test_a_stream_is_called_by_its_id_or_its_port() -> None:
    monitor = StreamMonitor()
    send(monitor, audio(0, "mic"), 0)
    send(monitor, audio(0), 0, "vad", "tee")  # one send to two entries is one block
    send(monitor, audio(20 * MS), 20 * MS, "vad", "tee")
    send(monitor, rm.Text("x", pts_us=0), 0)
    send(monitor, audio(None), 0)
    assert [(each.stream, each.samples) for each in monitor.metrics()] == [
        ("mic", 1),
        ("vad:in", 2),
    ]


def test_alerts_are_told_with_their_stream() -> None:
    changes = Changes()
    monitor = StreamMonitor(changes)
    for n in range(200):
        late = 150 * MS if n >= 100 else 0
        send(monitor, audio(n * 20 * MS, "good"), n * 20 * MS)
        send(monitor, audio(n * 20 * MS, "bad"), n * 20 * MS + late)
    jump = StreamAlert.LEAD_JUMP
    assert changes.seen == [("bad", jump, jump), ("bad", jump, StreamAlert(0))]
    good, bad = monitor.metrics()
    assert (good.lead_ms, bad.lead_ms) == (0, 150)


def test_a_frozen_picture_is_told_and_silence_is_not() -> None:
    changes = Changes()
    monitor = StreamMonitor(changes)
    for n in range(100):
        send(monitor, video(n * 40 * MS, min(n, 60), "cam"), n * 40 * MS)
        send(monitor, audio(n * 40 * MS, "mic"), n * 40 * MS)
    # A health of 0.7 is not below the limit of 0.7.
    assert changes.seen == [("cam", StreamAlert.FREEZE, StreamAlert.FREEZE)]


@pytest.mark.parametrize("audio_first", [True, False])
def test_video_is_compared_with_audio(audio_first: bool) -> None:
    monitor = StreamMonitor()
    for n in range(100):
        sound, frame = audio(n * 40 * MS, "mic"), video(n * 40 * MS, n, "cam")
        if audio_first or n:
            send(monitor, sound, n * 40 * MS)
        send(monitor, frame, n * 40 * MS + 60 * MS)
    skews = {stream.stream: stream.skew_ms for stream in monitor.metrics()}
    assert skews["cam"] == pytest.approx(60)
    assert skews["mic"] is None


def test_streams_of_different_clocks_are_not_compared() -> None:
    monitor = StreamMonitor()
    for n in range(100):
        send(monitor, audio(n * 40 * MS, "mic"), n * 40 * MS)
        send(monitor, video(n * 40 * MS + 3600 * SECOND, n, "cam"), n * 40 * MS)
    assert [stream.skew_ms for stream in monitor.metrics()] == [None, None]


def test_limits_are_those_of_all() -> None:
    changes = Changes()
    monitor = StreamMonitor(changes, StreamLimits(jump_ms=10, warm_up=2))
    for n in range(10):
        send(monitor, audio(n * 20 * MS), n * 20 * MS + (n >= 5) * 11 * MS)
    assert [changed for _, changed, _ in changes.seen] == [StreamAlert.LEAD_JUMP]


def test_no_more_than_so_many() -> None:
    monitor = StreamMonitor()
    for n in range(MAX_STREAMS + 3):
        send(monitor, audio(0, f"stream {n}"), 0)
    assert (len(monitor.streams), monitor.ignored) == (MAX_STREAMS, 3)
    send(monitor, audio(20 * MS, "stream 0"), 20 * MS)
    assert monitor.streams["stream 0"].samples == 2


async def test_a_session_tells_of_alerts_and_has_the_streams_in_its_metrics(
    clock: VirtualClock,
) -> None:
    p = rm.Pipeline()
    p.add("PassThrough", id="mic")
    async with p.session(clock=clock, health=True) as s:
        for number in range(200):
            # From block 100 on, media time is 150 ms ahead of what it was.
            pts_us = number * 20_000 + (150_000 if number >= 100 else 0)
            s.offer(rm.Audio(np.zeros(320, np.float32), 16_000, pts_us=pts_us))
            await sleep(clock, 20_000)
            while s.outputs().poll() is not None:
                pass
        (stream,) = s.metrics().streams
        events = [await anext(s.events()) for _ in range(2)]
    assert (stream.stream, stream.samples, stream.alerts) == ("mic:in", 200, 0)
    assert [(event.kind, event.message) for event in events] == [
        ("alert", "mic:in: LEAD_JUMP raised"),
        ("alert", "mic:in: LEAD_JUMP cleared"),
    ]
