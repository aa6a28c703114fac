"""TimeStretch: plays audio faster or slower, at the same pitch."""

from __future__ import annotations

from typing import Annotated

import msgspec

from remotemedia.data import Audio, Metadata
from remotemedia.data.timeline import Timeline, mark_gap, sample_time_us
from remotemedia.node import NodeParams
from remotemedia.nodes.audio.wsola import SEARCH_MS, WINDOW_MS, Samples, Wsola
from remotemedia.nodes.streams import PerStream


class TimeStretch(PerStream["_Stream"]):
    """Changes the tempo of audio and keeps its pitch, by WSOLA.

    n samples become ``ceil(n / speed)``, the last of them at the end of input; the speed is taken
    to four decimals. The samples are the same, bit for bit, however the input is cut into blocks.
    At speed 1 blocks are handed on as they are. At others samples are those of the input, but for
    splices: so often that the tempo is right, about `search_ms` are skipped or repeated, from one
    place to the most similar one near by, with a cross-fade of half of `window_ms`. All channels
    are spliced at the same places, which depend on all of them, so that the image stays where it
    is. Results are bit-equal in every world.

    Time stamps are those of a time line of the output's own, without holes: the first sample has
    the time of the first of the input, and ``pts_us = first + round(n · 10⁶ / rate)``. So after
    10 s at speed 1.25 the output is at 8 s. A gap in the input's time stamps ends the stream so
    far (its tail comes out) and it starts anew, as much later in the output's time as the gap is
    long; the first block after it carries ``gap_us`` in its metadata. Where rate, channels or
    format change, the same happens without a gap.

    Input cases. The speed may change while it runs: the next window has it. After a change to 1
    the samples go on as they are, later by what stayed back. Any format is accepted; integers are
    rounded to nearest in the splices. Blocks of different `stream_id` are different streams. A
    float sample that is not finite counts as 0. An empty block gives nothing. Metadata are those of
    the block that completes the output.

    Latency: none at speed 1. At others a sample waits for ``speed · window_ms`` of input after its
    nominal time, or 1.25 · window_ms if that is more, and comes from up to `search_ms` before it:
    25 to 45 ms at the defaults and speed 1.25.

    References
    ----------
    W. Verhelst, M. Roelands, "An overlap-add technique based on waveform similarity (WSOLA) for
    high quality time-scale modification of speech", Proc. IEEE ICASSP 1993.

    Examples
    --------
    ::

        - {id: faster, node_type: TimeStretch, params: {speed: 1.25}}
    """

    class Params(NodeParams, frozen=True):
        speed: Annotated[
            float,
            msgspec.Meta(ge=0.5, le=2, description="Input per output time; 2 is twice as fast."),
        ] = 1.0
        window_ms: Annotated[
            float,
            msgspec.Meta(ge=4, le=100, description="Windows; half of one is cross-faded, ms."),
        ] = WINDOW_MS
        search_ms: Annotated[
            float,
            msgspec.Meta(
                ge=2,
                le=100,
                description="About the most that a splice skips or repeats: a period at least, ms.",
            ),
        ] = SEARCH_MS

    input_caps = "audio"
    output_caps = "audio"
    capabilities = "passthrough"
    live_params = ("speed",)

    params: Params

    def start(self, audio: Audio, timeline: Timeline) -> _Stream:
        """The state of a stream that starts with this block."""
        before = self._streams.get(audio.stream_id)
        return _Stream(audio, timeline, self.params, before)

    def update(self, params: Params) -> None:
        """Another speed, from the next window on."""
        self.params = params
        for stream in self._streams.values():
            stream.set_speed(params)


class _Stream:
    """One stream: what stretches it, and the time of what comes out."""

    def __init__(
        self, audio: Audio, timeline: Timeline, params: TimeStretch.Params, before: _Stream | None
    ) -> None:
        self.timeline = timeline
        self._like = audio
        self._params = params
        self._in_time = before is None or before.in_time
        # Of the output since the last gap.
        self._start_us = None if before is None else before.time_us()
        self._sent = 0  # samples since then
        self._gap_us = 0
        self._metadata: Metadata | None = None
        self._wsola = self._make()

    def continues(self, audio: Audio) -> bool:
        like = self._like
        return (
            audio.sample_rate == like.sample_rate
            and audio.channels == like.channels
            and audio.samples.dtype == like.samples.dtype
        )

    def set_speed(self, params: TimeStretch.Params) -> None:
        self._params = params
        self._wsola.speed = params.speed

    def time_us(self) -> int | None:
        """Of the next output sample."""
        if self._start_us is None:
            return None
        return self._start_us + sample_time_us(self._sent, self._like.sample_rate)

    def push(self, audio: Audio) -> list[Audio]:
        gap_us = self.timeline.feed(audio.pts_us, audio.frames)
        done = self.finish() if gap_us else []
        if gap_us:
            self._in_time = self.in_time
            self._wsola = self._make()
            now_us = self.time_us()
            self._start_us = None if now_us is None else now_us + gap_us
            self._sent, self._gap_us = 0, gap_us
        if self._start_us is None:
            self._start_us = self.timeline.pts_us(0)
        self.timeline.forget(self.timeline.frames)
        self._metadata = audio.metadata
        samples = self._wsola.push(audio.samples)
        if audio.frames and samples is audio.samples and not self._gap_us and self.in_time:
            self._sent += audio.frames
            return [*done, audio]
        return done + self._stamped(samples)

    @property
    def in_time(self) -> bool:
        """Whether nothing was stretched yet: the output's time is the input's."""
        return self._in_time and not self._wsola.skipped

    def finish(self) -> list[Audio]:
        return self._stamped(self._wsola.finish())

    def _make(self) -> Wsola:
        like, params = self._like, self._params
        return Wsola(
            like.samples, like.sample_rate, params.window_ms, params.search_ms, params.speed
        )

    def _stamped(self, samples: Samples) -> list[Audio]:
        frames = samples.shape[1]
        if not frames:
            return []
        pts_us = self.time_us()
        metadata = mark_gap(self._metadata, self._gap_us)
        self._sent += frames
        self._gap_us = 0
        samples.setflags(False)  # type: ignore[call-arg]  # twice as quick as by keyword
        like = self._like
        return [Audio.unchecked(samples, like.sample_rate, pts_us, like.stream_id, metadata)]
