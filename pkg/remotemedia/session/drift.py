"""Drift: the health of a media stream, from when its blocks or frames arrive."""

from __future__ import annotations

from binascii import crc32
from enum import IntFlag
from math import sqrt
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from remotemedia.metrics import StreamMetrics
from remotemedia.metrics.alerts import Alerts

_POINT = 5  # samples whose mean is a point of the line through the leads
_KEEP = 1 - 1 / 100  # weight of the past in that line, per point
_SPAN = 100  # arrivals that the cadence is that of, as it were
_LEVEL_RATE = 0.1  # weight of the newest lead in what two streams are compared by
_SETTLE = 10  # samples after a jump in which a late one may be made up for
_CERTAIN = 16.0  # a slope counts if it is 4 standard errors from none
_HASHED = 1 << 16  # bytes


class StreamAlert(IntFlag):
    """What is wrong with a stream."""

    DRIFT_SLOPE = 1
    LEAD_JUMP = 2
    AV_SKEW = 4
    FREEZE = 8
    CADENCE_UNSTABLE = 16
    HEALTH_LOW = 32


_SLOPE, _JUMP, _SKEW, _FREEZE, _CADENCE, _HEALTH = map(int, StreamAlert)
_NO_CHANGE = StreamAlert(0)


class StreamLimits(msgspec.Struct, frozen=True):
    """From where on something is wrong with a stream.

    Attributes
    ----------
    slope_ms_per_s : float
        Drift of media time against arrival.
    jump_ms : float
        Change of the lead from one sample to the next.
    skew_ms : float
        Between two streams.
    freeze_ms : float
        For which the content is the same.
    cadence : float
        Standard deviation of the time between arrivals, as a part of its mean.
    health : float
        Below it the stream is unhealthy.
    raise_after, clear_after : int
        Samples in a row, see `Alerts`. A jump and a freeze are raised at once.
    warm_up : int
        Samples after a discontinuity before clocks are compared.
    gap_ms : float
        A step of media time beyond it is a discontinuity, as any step back is.
    """

    slope_ms_per_s: float = 5.0
    jump_ms: float = 100.0
    skew_ms: float = 80.0
    freeze_ms: float = 500.0
    cadence: float = 0.3
    health: float = 0.7
    raise_after: int = 5
    clear_after: int = 10
    warm_up: int = 50
    gap_ms: float = 2000.0


class StreamHealth:
    """The media clock of one stream against the clock of arrival.

    The *lead* is by how much more time has passed on the clock of arrival than in the media since
    the last discontinuity: it grows when the sender's clock is slow, or the network gets slower.

    - The slope is that of a line through the leads, older ones weighing less (by half after 350).
      A jump, and the ten samples after it, are taken out of the line: neither a step nor a late
      packet that is made up for is drift. A slope that noise could explain counts as none.
    - The skew is how much later than its partner's media of the same time this stream arrives,
      smoothed; both have their times from one clock.
    - Frozen is a stream whose content was the same at least three times, for as long as it was.
    - Health is 1 − 0.3·slope − 0.2·skew − 0.2·cadence, each as a part of its limit and at most 1,
      and 0.3 less while frozen.

    Pure arithmetic on the times that it is given; a few floats of state.

    Parameters
    ----------
    name : str
        What the stream is called in metrics.
    partner : StreamHealth, optional
        The audio stream that belongs to this video stream; either may be given to the other.
    limits : StreamLimits, optional
        Its alerts.

    Attributes
    ----------
    samples, discontinuities : int
        Since the start.
    slope_ms_per_s, skew_ms, cadence, frozen_ms, health : float
        As of the last sample; see `StreamMetrics`.
    """

    __slots__ = (
        "_alerts",
        "_arrival_us",
        "_base_us",
        "_content",
        "_content_us",
        "_gap_us",
        "_group",
        "_interval_us",
        "_jump_us",
        "_level_ms",
        "_line",
        "_pts_us",
        "_same",
        "_seen",
        "_settling",
        "_sum_ms",
        "_variance",
        "cadence",
        "discontinuities",
        "frozen_ms",
        "health",
        "limits",
        "name",
        "partner",
        "samples",
        "skew_ms",
    )

    def __init__(
        self,
        name: str = "",
        partner: StreamHealth | None = None,
        limits: StreamLimits | None = None,
    ) -> None:
        self.name = name
        self.partner = partner
        self.limits = limits = limits or StreamLimits()
        self.samples = 0
        self.discontinuities = 0
        self._gap_us = limits.gap_ms * 1000
        self._jump_us = limits.jump_ms * 1000
        self._alerts = Alerts(limits.raise_after, limits.clear_after, _JUMP | _FREEZE)
        self._begin(0, 0, None)

    def _begin(self, pts_us: int, arrival_us: int, content: int | None) -> None:
        """Forget all but the counts: this is the first sample."""
        self._seen = 1 if self.samples else 0
        self._pts_us = self._content_us = pts_us
        self._arrival_us = arrival_us
        self._base_us = arrival_us - pts_us
        self._content = content
        self._same = 1
        self._level_ms = self._sum_ms = self._interval_us = self._variance = 0.0
        self._settling = self._group = 0
        self._line = _Line()
        self.cadence = self.frozen_ms = 0.0
        self.skew_ms: float | None = None
        self.health = 1.0

    @property
    def alerts(self) -> StreamAlert:
        """Those that are raised."""
        return StreamAlert(self._alerts.active)

    @property
    def lead_ms(self) -> float:
        """Arrival behind media time since the last discontinuity, ms."""
        return (self.offset_us - self._base_us) / 1000

    @property
    def offset_us(self) -> int:
        """Arrival of the last sample less its media time, µs."""
        return self._arrival_us - self._pts_us

    @property
    def slope_ms_per_s(self) -> float:
        """How fast the lead grows, ms/s."""
        return self._line.slope

    def observe(self, pts_us: int, arrival_us: int, content: int | None = None) -> StreamAlert:
        """Take in that a block or frame arrived.

        Parameters
        ----------
        pts_us : int
            Its media time, µs.
        arrival_us : int
            When it arrived, µs of any clock; the same one for partners.
        content : int, optional
            `content_hash` of a video frame. Leave it out for audio: silence is no freeze.

        Returns
        -------
        StreamAlert
            The alerts that this changed; whether raised or cleared, `alerts` tells.
        """
        seen = self._seen
        media_us = pts_us - self._pts_us
        self.samples += 1
        if not (0 <= media_us <= self._gap_us and seen):
            self.discontinuities += seen > 0
            self._begin(pts_us, arrival_us, content)
            return StreamAlert(self._alerts.reset())
        interval_us = arrival_us - self._arrival_us
        lead_ms = (arrival_us - pts_us - self._base_us) / 1000
        self._pts_us = pts_us
        self._arrival_us = arrival_us
        self._seen = seen + 1
        self._level_ms += _LEVEL_RATE * (lead_ms - self._level_ms)
        settling = self._settling
        jumped = abs(interval_us - media_us) > self._jump_us
        if jumped:
            self._settling = _SETTLE
            self._group = 0  # what came before it is in the line, but for the last few
            self._sum_ms = 0.0
        elif settling:
            self._settling = settling - 1
            if settling == 1:
                self._line.bridge(lead_ms)
        else:
            self._sum_ms += lead_ms
            self._group += 1
            if self._group == _POINT:
                self._line.add(pts_us, self._sum_ms / _POINT)
                self._group = 0
                self._sum_ms = 0.0
        if not jumped or settling:  # a single jump has an alert of its own
            rate = 1 / seen if seen < _SPAN else 1 / _SPAN  # plain mean and variance at first
            off = interval_us - self._interval_us
            self._interval_us = mean = self._interval_us + rate * off
            self._variance = variance = (1 - rate) * (self._variance + rate * off * off)
            self.cadence = sqrt(variance) / mean if mean > 0 else 0.0

        if content is None or content != self._content:
            self._content = content
            self._content_us = pts_us
            self._same = 1
            self.frozen_ms = 0.0
        else:
            self._same += 1
            self.frozen_ms = (pts_us - self._content_us) / 1000
        changed = self._alerts.update(self._judge(_JUMP if jumped else 0))
        return StreamAlert(changed) if changed else _NO_CHANGE

    def snapshot(self) -> StreamMetrics:
        """As plain data."""
        return StreamMetrics(
            self.name,
            self.samples,
            self.discontinuities,
            self.lead_ms,
            self.slope_ms_per_s,
            self.skew_ms,
            self._interval_us / 1000,
            self.cadence,
            self.frozen_ms,
            self.health,
            self._alerts.active,
        )

    def _judge(self, conditions: int) -> int:
        """The health now, and the conditions for alerts that hold."""
        limits = self.limits
        health = 1.0
        warm = self._seen >= limits.warm_up
        if warm:
            line = self._line
            ratio = abs(line.slope) / limits.slope_ms_per_s if line.certain else 0.0
            if ratio > 1:
                conditions |= _SLOPE
                ratio = 1.0
            health -= 0.3 * ratio
            ratio = self.cadence / limits.cadence
            if ratio > 1:
                conditions |= _CADENCE
                ratio = 1.0
            health -= 0.2 * ratio
            partner = self.partner
            if partner is not None and partner._seen >= limits.warm_up:
                later_us = self._base_us - partner._base_us
                self.skew_ms = skew = later_us / 1000 + self._level_ms - partner._level_ms
                ratio = abs(skew) / limits.skew_ms
                if ratio > 1:
                    conditions |= _SKEW
                    ratio = 1.0
                health -= 0.2 * ratio
        else:
            conditions = 0
        if self.frozen_ms > limits.freeze_ms and self._same > 2:
            conditions |= _FREEZE
            health -= 0.3
        self.health = health
        return conditions | _HEALTH if warm and health < limits.health else conditions


class _Line:
    """A line through leads by weighted least squares, in sums whose origin is the newest point.

    Attributes
    ----------
    slope : float
        Of it, ms/s.
    certain : bool
        Whether it is 4 standard errors from none.
    """

    __slots__ = ("_at_us", "_newest", "_shift", "_sums", "certain", "slope")

    def __init__(self) -> None:
        self._sums = (0.0,) * 6  # of weights, x, y, x², xy, y²; s and ms
        self._at_us = 0
        self._newest = self._shift = 0.0
        self.slope = 0.0
        self.certain = False

    def add(self, at_us: int, lead_ms: float) -> None:
        """Add a point."""
        weight, x, y, xx, xy, yy = self._sums
        step = (at_us - self._at_us) * 1e-6 if weight else 0.0
        self._at_us = at_us
        self._newest = lead_ms = lead_ms - self._shift
        xx = _KEEP * (xx + step * (step * weight - 2 * x))
        xy = _KEEP * (xy - step * y)
        x = _KEEP * (x - step * weight)
        y = _KEEP * y + lead_ms
        yy = _KEEP * yy + lead_ms * lead_ms
        weight = _KEEP * weight + 1
        self._sums = weight, x, y, xx, xy, yy
        spread = xx - x * x / weight
        if spread > 0:
            both = xy - x * y / weight
            self.slope = slope = both / spread
            unexplained = yy - y * y / weight - slope * both
            self.certain = slope * both * weight > _CERTAIN * unexplained

    def bridge(self, lead_ms: float) -> None:
        """Go on from another lead as if it were the newest one, after a jump."""
        self._shift = lead_ms - self._newest


def content_hash(values: NDArray[Any] | bytes) -> int:
    """A number that is another one for other content, as good as always.

    Parameters
    ----------
    values : np.ndarray [C-contiguous] or bytes
        E.g. `Video.pixels`. Of more than 64 KiB so many bytes are looked at, evenly spread: what
        changes in a few pixels only may go unseen.
    """
    seen: Any = np.frombuffer(values, np.uint8)
    if len(seen) > _HASHED:
        seen = np.ascontiguousarray(seen[:: len(seen) // _HASHED | 1])  # odd: meets all channels
    return crc32(seen)
