"""IIRFilter: a low-pass, high-pass or band-pass of the Butterworth kind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from remotemedia.caps import Exact
from remotemedia.data import Audio
from remotemedia.data.timeline import Timeline
from remotemedia.errors import ParamsError, UnavailableError
from remotemedia.node import INPUT, Context, NodeParams
from remotemedia.nodes.audio.butterworth import Sections, band_pass, high_pass, low_pass
from remotemedia.nodes.streams import PerStream

if TYPE_CHECKING:
    from collections.abc import Callable

DEFAULTS = {"cutoff_hz": 1000.0, "low_hz": 300.0, "high_hz": 3400.0}

Frequency = Annotated[float, msgspec.Meta(ge=1, le=384_000)]

# Filter state below this (−600 dBFS) is dropped: left alone in silence it would end as denormal
# numbers, which never become 0 and take 20 times as long (order 8: 36 → 730 µs per 960 samples).
# That happens at every 4096th sample of the stream, wherever its blocks begin and end, so that
# results do not depend on them.
SILENT = 1e-30
STRIDE = 4096


class IIRFilter(PerStream["_Stream"]):
    """Lets low, high or middle frequencies pass: a Butterworth filter of order 1 to 8.

    ============  ====================================  ==========================================
    ``kind``      passes                                falls by 6 dB per octave and order
    ============  ====================================  ==========================================
    ``lowpass``   below `cutoff_hz`                     above it
    ``highpass``  above `cutoff_hz`                     below it
    ``bandpass``  from `low_hz` to `high_hz`            below and above (2 · order poles)
    ============  ====================================  ==========================================

    The response is flat in the pass-band and −3.01 dB at the cut-off or the two edges; it is that
    of the analogue filter by the bilinear transform, prewarped there. Arithmetic and state are
    float64; their error is below that of the output's rounding to float32, even at 1 Hz and 192 kHz
    (−160 dBFS).

    Input cases. A block of n samples gives one of n samples with the same time stamp and metadata,
    an empty one too. The samples are the same, bit for bit, however the input is cut into blocks.
    Every channel is filtered by itself. A gap in the time stamps does not disturb the samples: the
    filter runs on across it, and the stamps show it as before. A block with another rate or number
    of channels starts anew, from silence. Blocks of different `stream_id` are different streams. A
    sample that is not finite counts as 0. At a sample rate of twice the cut-off or less there is no
    such filter: that is an error, when the node opens if the rate is known then.

    Latency: none in samples. Like every causal filter it delays, each frequency differently: a
    low-pass low frequencies by ``1 / (2π · cutoff_hz)`` seconds at order 1, 5.1 times that at 8.

    Needs scipy (``pip install 'remotemedia[dsp]'``), whose `scipy.signal.sosfilt` computes it; it
    is imported when the node opens.

    References
    ----------
    S. Butterworth, "On the theory of filter amplifiers", Experimental Wireless 7, 1930.
    A. V. Oppenheim, R. W. Schafer, "Discrete-Time Signal Processing", 3rd ed., §6.3.4 (second-order
    sections), §7.2 (bilinear transform).

    Examples
    --------
    ::

        - {id: rumble, node_type: IIRFilter, params: {kind: highpass, cutoff_hz: 80}}
        - {id: phone, node_type: IIRFilter, params: {kind: bandpass, low_hz: 300, high_hz: 3400}}
    """

    class Params(NodeParams, frozen=True):
        kind: Annotated[
            Literal["lowpass", "highpass", "bandpass"],
            msgspec.Meta(description="Which frequencies pass: the low, the high, or a band."),
        ] = "lowpass"
        cutoff_hz: Annotated[
            Frequency, msgspec.Meta(description="Cut-off of lowpass and highpass, at −3 dB, Hz.")
        ] = DEFAULTS["cutoff_hz"]
        low_hz: Annotated[
            Frequency, msgspec.Meta(description="Lower edge of bandpass, at −3 dB, Hz.")
        ] = DEFAULTS["low_hz"]
        high_hz: Annotated[
            Frequency, msgspec.Meta(description="Upper edge of bandpass, at −3 dB, Hz.")
        ] = DEFAULTS["high_hz"]
        order: Annotated[
            int,
            msgspec.Meta(
                ge=1, le=8, description="Steepness: 6 dB per octave each, on each side of a band."
            ),
        ] = 2

        def __post_init__(self) -> None:
            band = self.kind == "bandpass"
            for name in ("cutoff_hz",) if band else ("low_hz", "high_hz"):
                if getattr(self, name) != DEFAULTS[name]:
                    right = "low_hz and high_hz" if band else "cutoff_hz"
                    raise ValueError(f"{name} is not for kind {self.kind!r}: give it {right}")
            if band and self.low_hz >= self.high_hz:
                raise ValueError(
                    f"low_hz must be below high_hz, given {self.low_hz:g} and {self.high_hz:g}"
                )

    input_caps = "audio(format=F32)"
    output_caps = "audio(format=F32)"
    capabilities = "passthrough"
    requires = ("scipy>=1.11",)

    params: Params

    def __init__(self, params: NodeParams | None = None, **fields: object) -> None:
        super().__init__(params, **fields)
        self._id: str | None = None

    def open(self, ctx: Context) -> None:
        """Load scipy; refuse a sample rate, if it is known, that is too low."""
        self._id = ctx.node
        _import_sosfilt(ctx.node)
        formats = ctx.inputs[INPUT].formats or ()
        rate = formats[0].get("sample_rate") if len(formats) == 1 else None
        if isinstance(rate, Exact):
            self._sections(int(rate.value))

    def start(self, audio: Audio, timeline: Timeline) -> _Stream:
        """The state of a stream that starts with this block."""
        return _Stream(audio, self._sections(audio.sample_rate), timeline, self._id)

    def _sections(self, sample_rate: int) -> Sections:
        params = self.params
        name = "high_hz" if params.kind == "bandpass" else "cutoff_hz"
        highest = getattr(params, name)
        if highest >= sample_rate / 2:
            which = f" {self._id!r}" if self._id else ""
            raise ParamsError(
                f"IIRFilter{which}: {name} is {highest:g} Hz, but at a sample rate of "
                f"{sample_rate} Hz it has to be below {sample_rate / 2:g} Hz: lower it, or put an "
                f"AudioResample to more than {2 * highest:g} Hz before the filter",
                node=self._id,
            )
        if params.kind == "bandpass":
            return band_pass(params.low_hz, params.high_hz, params.order, sample_rate)
        design = low_pass if params.kind == "lowpass" else high_pass
        return design(params.cutoff_hz, params.order, sample_rate)


class _Stream:
    """One stream: its filter, and the state of every section and channel."""

    def __init__(
        self, audio: Audio, sections: Sections, timeline: Timeline, node: str | None
    ) -> None:
        self.timeline = timeline
        self._channels = audio.channels
        self._sections = sections.copy()  # sosfilt takes no read-only array
        self._sosfilt = _import_sosfilt(node)
        self._state = np.zeros((len(sections), audio.channels, 2))

    def continues(self, audio: Audio) -> bool:
        return audio.sample_rate == self.timeline.sample_rate and audio.channels == self._channels

    def push(self, audio: Audio) -> list[Audio]:
        position = self.timeline.frames
        self.timeline.feed(audio.pts_us, audio.frames)
        self.timeline.forget(self.timeline.frames)
        samples = audio.samples
        if not np.isfinite(samples).all():
            samples = np.where(np.isfinite(samples), samples, np.float32(0))
        filtered = np.empty(samples.shape, np.float32)
        start, end = 0, STRIDE - position % STRIDE
        while start < audio.frames:
            part = self._sosfilt(self._sections, samples[:, start:end], -1, self._state)
            with np.errstate(over="ignore"):  # what float32 cannot hold is infinite
                filtered[:, start:end], self._state = part
            if end <= audio.frames:
                self._state[np.abs(self._state) < SILENT] = 0.0
            start, end = end, end + STRIDE
        return [audio.with_samples(filtered)]

    def finish(self) -> Iterator[Audio]:
        return iter(())


def _import_sosfilt(node: str | None) -> Callable[..., tuple[NDArray[np.float64], Any]]:
    try:
        from scipy.signal import sosfilt
    except ImportError as error:
        raise UnavailableError(
            f"IIRFilter needs scipy, which cannot be imported ({error}): "
            "pip install 'remotemedia[dsp]'",
            node=node,
        ) from None
    return sosfilt
