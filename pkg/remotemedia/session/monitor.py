"""Monitor: the health of all media streams that a session is sent."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from remotemedia.data import Audio, Packet, Video
from remotemedia.metrics import StreamMetrics
from remotemedia.session.drift import StreamAlert, StreamHealth, StreamLimits, content_hash

MAX_STREAMS = 64
_ONE_TIMELINE_US = 2_000_000  # streams further apart have their times from different clocks

OnChange = Callable[[StreamHealth, StreamAlert], None]
"""Told of a stream and of which of its alerts have just been raised or cleared."""


class StreamMonitor:
    """An observer of a session: a `StreamHealth` for each audio and video stream that is sent.

    Looks at audio and video with a media time; it has arrived when its `send` did. A stream is
    called by its `stream_id`, or by the input port that it is sent to. A video stream is compared
    with the first audio stream, if their times are within 2 s of each other.

    Parameters
    ----------
    on_change : callable, optional
        Called on the data path when alerts of a stream change.
    limits : StreamLimits, optional
        Of all streams.

    Attributes
    ----------
    streams : dict of str to StreamHealth
        In the order in which they came; at most 64.
    ignored : int
        Blocks and frames of further streams.

    Examples
    --------
    ::

        monitor = StreamMonitor(lambda stream, changed: print(stream.name, stream.alerts))
        detach = session.observe(monitor)
    """

    def __init__(
        self, on_change: OnChange | None = None, limits: StreamLimits | None = None
    ) -> None:
        self.streams: dict[str, StreamHealth] = {}
        self.ignored = 0
        self._on_change = on_change
        self._limits = limits
        self._audio: StreamHealth | None = None
        self._unpaired: set[str] = set()  # video streams whose partner is not known yet

    def sent(self, packets: Sequence[Packet]) -> None:
        """One send put these in, one for each entry."""
        packet = packets[0]
        data = packet.data
        if not isinstance(data, (Audio, Video)) or data.pts_us is None:
            return
        is_video = isinstance(data, Video)
        name = data.stream_id or f"{packet.node}:{packet.port}"
        health = self.streams.get(name)
        if health is None:
            if len(self.streams) >= MAX_STREAMS:
                self.ignored += 1
                return
            health = self.streams[name] = StreamHealth(name, limits=self._limits)
            if is_video:
                self._unpaired.add(name)
            elif self._audio is None:
                self._audio = health
        content = content_hash(data.pixels) if isinstance(data, Video) else None
        changed = health.observe(data.pts_us, packet.timestamp_us, content)
        if self._unpaired and self._audio is not None and name in self._unpaired:
            self._unpaired.discard(name)
            if abs(health.offset_us - self._audio.offset_us) < _ONE_TIMELINE_US:
                health.partner = self._audio
        if changed and self._on_change is not None:
            self._on_change(health, changed)

    def received(self, packet: Packet) -> None:
        """Nothing: what comes out has its media time from what went in."""

    def interrupted(self, generation: int, from_node: str | None) -> None:
        """Nothing: streams go on arriving."""

    def finished(self) -> None:
        """Nothing: `streams` stays."""

    def metrics(self) -> tuple[StreamMetrics, ...]:
        """All streams, for `Metrics.streams`."""
        return tuple(stream.snapshot() for stream in self.streams.values())
