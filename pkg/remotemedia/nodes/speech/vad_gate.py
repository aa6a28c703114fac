"""SpeculativeVADGate: lets through at once what may be speech, and takes back what was not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, cast

import msgspec
from msgspec.structs import replace

from remotemedia.caps import Caps, parse_caps
from remotemedia.data import Audio
from remotemedia.data.messages import CancelSpeculation
from remotemedia.data.timeline import Timeline
from remotemedia.node import INPUT, OUTPUT, Emit, NodeParams
from remotemedia.nodes.analysis.energy_vad import EnergyVAD, Milliseconds
from remotemedia.nodes.analysis.speech_stream import (
    MIN_SAMPLE_RATE,
    SEGMENTS,
    SpeechStream,
)
from remotemedia.nodes.streams import PerStream

CONTROL = "control"
SPECULATIVE = "speculative"
CONFIRMED = "confirmed"
CANCELLED = "cancelled"

FRAME_MS = 10
FULL_THRESHOLD_DB = 14.0  # what a threshold of 1 means; 0.5 is the default of EnergyVAD
HYSTERESIS_DB = 3.0
PATIENCE = 4  # times min_speech_ms: longer than that nothing stays undecided


class SpeculativeVADGate(PerStream["_Stream"]):
    """Lets audio through at once when it may be speech, and takes it back if it was not.

    A detector that waits until it is sure delays every word by 250 ms or more. This one lets
    through what may be speech, so that what follows can start; the few times that it was a cough
    or a door it says so, and what follows forgets it.

    Port ``out`` (the default output) emits the audio that was let through and nothing else, always
    with time stamps, from 0 on where the input has none. Port ``control`` emits a
    `CancelSpeculation` for what is taken back: ``from_us`` to ``to_us`` are the very samples that
    were let through, its segment is named by ``segment_id``. (If time stamps jump back within
    them, there is one message for each run.) Port ``segments`` emits a `Json` event whenever a
    segment changes its state:

    ============  ================  =============================================================
    ``event``     ``state``
    ============  ================  =============================================================
    ``start``     ``speculative``   what follows may be speech
    ``confirm``   ``confirmed``     it is
    ``end``       ``confirmed``     it is over
    ``end``       ``cancelled``     it was none; ``reason`` ``too_short`` or ``end_of_input``
    ============  ================  =============================================================

    The other fields are those of `EnergyVAD`, but ``snr_db``. A segment's ``start`` comes before
    its audio, its ``end`` after it and after the `CancelSpeculation`.

    Method. Frames of 10 ms are active or not by the rules of `EnergyVAD`: by their power in the
    band of voices over the noise, tracked by minimum statistics. `vad_threshold` says by how much:
    0 to 1 are 0 to 14 dB. The gate opens when active frames outnumber the others by `lookahead_ms`
    since the first of them, so that clicks pass nothing; it lets through first what lies up to
    `lookback_ms` before that first one. Audio goes on, a frame late at most, until
    `speech_pad_ms` after the last active frame; what is longer waits until sound goes on, and is
    dropped if there is none for `min_silence_ms`. The segment is confirmed when active frames
    outnumber the others by `min_speech_ms`. It is cancelled if, before that, there is none for
    `min_silence_ms`, the others make up for all of them, four times `min_speech_ms` pass, or the
    input ends. What was let through once is not let through again.

    Input cases. As `EnergyVAD`: any number of channels, any rate from 4 kHz unless `sample_rate`
    says which, gaps, NaN, streams by `stream_id`. What comes out does not depend on how the input
    is cut into blocks. Another rate or number of channels ends the stream and begins a new one.

    Latency: `lookahead_ms` at the start of a segment, a frame (10 ms) after that; a verdict comes
    `min_speech_ms` after the first sound at the earliest.

    Examples
    --------
    Recognition starts at the first sound, and forgets what was none::

        nodes:
          - {id: gate, node_type: SpeculativeVADGate, params: {min_speech_ms: 200}}
          - {id: asr, node_type: PassThrough}
        connections:
          - {from: gate, to: asr}
          - {from: "gate:control", to: asr}
    """

    class Params(NodeParams, frozen=True):
        lookback_ms: Annotated[
            Milliseconds,
            msgspec.Meta(description="Audio let through from before the first sound, ms."),
        ] = 150
        lookahead_ms: Annotated[
            Milliseconds, msgspec.Meta(description="Sound that it takes to open the gate, ms.")
        ] = 50
        sample_rate: (
            Annotated[
                int,
                msgspec.Meta(
                    ge=MIN_SAMPLE_RATE,
                    le=768_000,
                    description="Only accept input of this rate, Hz. Default: whatever comes.",
                ),
            ]
            | None
        ) = None
        vad_threshold: Annotated[
            float,
            msgspec.Meta(
                ge=0, le=1, description="How far speech is above the noise at least: 1 is 14 dB."
            ),
        ] = 0.5
        min_speech_ms: Annotated[
            Milliseconds, msgspec.Meta(description="Sound that is speech for sure, ms.")
        ] = 250
        min_silence_ms: Annotated[
            Milliseconds, msgspec.Meta(description="Silence that ends a segment, ms.")
        ] = 100
        speech_pad_ms: Annotated[
            Milliseconds, msgspec.Meta(description="Audio kept after the last sound, ms.")
        ] = 30

    output_caps: ClassVar[Mapping[str, str]] = {
        OUTPUT: "audio(format=F32)",
        CONTROL: "control",
        SEGMENTS: "json",
    }
    capabilities = "passthrough"
    aliases: ClassVar[Mapping[str, str]] = {
        "min_silence_duration_ms": "min_silence_ms",
        "min_speech_duration_ms": "min_speech_ms",
        "pad_ms": "speech_pad_ms",
        "sampling_rate": "sample_rate",
        "threshold": "vad_threshold",
    }

    params: Params

    @classmethod
    def input_ports(cls, params: NodeParams) -> dict[str, Caps]:
        """Audio of any rate, or of the one given."""
        rate = cast("SpeculativeVADGate.Params", params).sample_rate
        return {
            INPUT: parse_caps(
                f"audio(sample_rate={rate or f'{MIN_SAMPLE_RATE}..768000'}, format=F32)"
            )
        }

    def start(self, audio: Audio, timeline: Timeline) -> _Stream:
        """The state of a stream that starts with this block."""
        return _Stream(audio, self.params, timeline)


class _Stream(SpeechStream):
    """The stream of a detector that opens early, and decides once it is open."""

    def __init__(self, audio: Audio, params: SpeculativeVADGate.Params, timeline: Timeline) -> None:
        threshold_db = FULL_THRESHOLD_DB * params.vad_threshold
        detection = EnergyVAD.Params(
            frame_ms=FRAME_MS,
            threshold_db=threshold_db,
            release_db=max(0.0, threshold_db - HYSTERESIS_DB),
            min_speech_ms=params.lookahead_ms,
            min_silence_ms=params.min_silence_ms,
            pre_roll_ms=params.lookback_ms,
            hangover_ms=params.speech_pad_ms,
        )
        super().__init__(audio, detection, timeline)
        self._enough = max(1, -(-params.min_speech_ms // FRAME_MS))
        self._patience = PATIENCE * params.min_speech_ms * audio.sample_rate // 1000
        self._state = CONFIRMED
        self._runs: list[tuple[int, int]] = []  # of audio on trial: from and to, µs

    def _decide(self, power: float, start: int, end: int) -> None:
        was_open = self._open
        super()._decide(power, start, end)
        if not self._open or self._settled:
            return
        if was_open:
            self._score += 1 if self._last == end else -1
        if self._score >= self._enough:
            self._state, self._settled, self._runs = CONFIRMED, True, []
            self._report(self._about("confirm"), self._start)
        elif not self._score or end - self._first > self._patience:
            self._close(end, "too_short")

    def _begin(self) -> None:
        self._state, self._settled = SPECULATIVE, False
        super()._begin()

    def _close(self, end: int, reason: str) -> None:
        if not self._settled:
            self._state, self._settled = CANCELLED, True
            end = self._done
            reason = "end_of_input" if reason == "end_of_input" else "too_short"
            for run in self._runs:
                message = CancelSpeculation(*run, reason)
                control = message.to_control(0, str(self._segment), self._stream_id)
                self._ready.append(Emit(CONTROL, control))
            self._runs = []
        super()._close(end, reason)

    def _report(self, value: dict[str, object], position: int) -> None:
        value.pop("snr_db", None)
        value["state"] = self._state
        super()._report(value, position)

    def _let_out(self, audio: Audio, time_us: int) -> None:
        stamped = audio if audio.pts_us is not None else replace(audio, pts_us=time_us)
        self._ready.append(Emit(OUTPUT, stamped))
        if not self._settled:
            if self._runs and self._runs[-1][1] == time_us:
                time_us, _ = self._runs.pop()
            self._runs.append((time_us, self.timeline.end_us(self._done)))
