"""SpeechToText: the words of speech, by Whisper."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, cast

import msgspec
import numpy as np

from remotemedia.clock import Clock
from remotemedia.data import Audio, Data, Json
from remotemedia.data.timeline import Timeline
from remotemedia.errors import DataError, ModelError
from remotemedia.models.store import Files, find_store
from remotemedia.node import INPUT, Context, NodeParams
from remotemedia.nodes.speech.speech_event import END, read_event
from remotemedia.nodes.streams import PerStream, check_streams
from remotemedia_native.speech.transcript_stream import EVENTS, TEXT, End, TranscriptStream
from remotemedia_native.speech.whisper import (
    LONGEST_S,
    SAMPLE_RATE,
    WEIGHTS,
    Whisper,
    WhisperOptions,
)

SEGMENTS = "segments"
MAX_ENDS = 256  # that wait for their audio

_Longest = Annotated[int, msgspec.Meta(ge=2000, le=1000 * LONGEST_S)]


class SpeechToText(PerStream[TranscriptStream]):
    """Recognises speech with a Whisper model [1]_, computed by CTranslate2 (faster-whisper).

    Port ``text`` (the default output) emits one `Text` per segment, with the time stamp of its
    start; port ``events`` `Json`:

    ``partial``
        Every `partial_ms` of a segment that is open: ``text``, what is said so far, and
        ``stable``, how it begins. Of one segment, every ``stable`` begins with the one before.
    ``final``
        With the `Text`: ``text`` and ``words``, each with ``text``, ``start_us``, ``end_us`` and
        ``probability``. It may correct what was stable. With an empty ``text`` it takes back what
        turned out to be no speech.

    Both have ``segment`` (its number, from 1), ``start_us`` and ``end_us``, µs of media time.

    Two ways of use. Behind a detector (`SileroVAD`, `EnergyVAD`): port ``in`` takes its ``audio``
    and port ``segments`` its events; a segment is one of the detector's. Alone, ``in`` takes all
    the audio. In both a segment ends where time jumps, and one that reaches `max_segment_ms` is cut
    in the longest pause between the words of its last `overlap_ms`; the next begins there, so no
    word is lost or said twice.

    Input cases. 16 kHz, any number of channels: their mean is listened to. NaN and infinity count
    as 0. Segments shorter than `min_segment_ms`, and what stays below -60 dBFS, have no words.
    Events come before or after the audio that they are about; ``cancelled`` ones have no words.
    Blocks of different `stream_id` are different streams, to which events of the same `stream_id`
    belong. At the end of input what is open is final. What comes out does not depend on how the
    input is cut into blocks, but for when partials come.

    A final costs the same however short its segment, a partial about a quarter of that; on a host
    that is too slow for it they come less often than `partial_ms`. The node computes for long at a
    time, and has a process of its own unless the manifest says ``executor: inline``.

    Latency: a ``final`` comes with the end of its segment; alone, `max_segment_ms` after its start.

    References
    ----------
    .. [1] A. Radford et al., "Robust Speech Recognition via Large-Scale Weak Supervision", 2022.

    Examples
    --------
    ::

        nodes:
          - {id: vad, node_type: SileroVAD, params: {min_silence_ms: 500}}
          - {id: asr, node_type: SpeechToText}
        connections:
          - {from: "vad:audio", to: asr}
          - {from: "vad:segments", to: "asr:segments"}
    """

    class Params(NodeParams, frozen=True):
        model: Annotated[
            str,
            msgspec.Meta(
                description="Name of a known model, or the folder of one for CTranslate2."
            ),
        ] = "whisper-tiny.en"
        language: Annotated[
            str | None,
            msgspec.Meta(description="Such as en or fr. Default: as each segment sounds."),
        ] = None
        beam_size: Annotated[
            int, msgspec.Meta(ge=1, le=16, description="Hypotheses that finals are chosen from.")
        ] = 5
        partial_ms: Annotated[
            int, msgspec.Meta(ge=0, le=30_000, description="Time between partials, ms; 0 for none.")
        ] = 500
        compute_type: Annotated[
            Literal["int8", "int8_float32", "int16", "float32"],
            msgspec.Meta(description="What the network is computed in."),
        ] = "int8"
        threads: Annotated[int, msgspec.Meta(ge=1, le=64, description="Threads of a run.")] = 1
        min_segment_ms: Annotated[
            int, msgspec.Meta(ge=0, le=10_000, description="Shorter segments have no words, ms.")
        ] = 200
        max_segment_ms: Annotated[
            _Longest, msgspec.Meta(description="Longer segments are cut, ms.")
        ] = 20_000
        overlap_ms: Annotated[
            int,
            msgspec.Meta(
                ge=0,
                le=15_000,
                description="How far before that a pause is looked for, ms; at most half of it.",
            ),
        ] = 5000

    input_caps: ClassVar[Mapping[str, str]] = {
        INPUT: f"audio(sample_rate={SAMPLE_RATE}, format=F32)",
        SEGMENTS: "json",
    }
    output_caps: ClassVar[Mapping[str, str]] = {TEXT: "text", EVENTS: "json"}
    default_executor = "process"
    requires = ("faster-whisper>=1.2",)

    params: Params
    _whisper: Whisper  # once open
    _clock: Clock

    def __init__(self, params: NodeParams | None = None, **fields: object) -> None:
        super().__init__(params, **fields)
        self._ends: dict[str | None, deque[End]] = {}

    def open(self, ctx: Context) -> None:
        """Open the model, and run it for the first time."""
        self._clock = ctx.clock
        own = self.params
        options = WhisperOptions(own.language, own.beam_size, own.compute_type, own.threads)
        self._whisper = Whisper(self._folder(ctx), options)
        ctx.progress("runs the model for the first time")
        self._whisper.words(np.zeros(SAMPLE_RATE, np.float32))

    def start(self, audio: Audio, timeline: Timeline) -> TranscriptStream:
        """The state of a stream that starts with this block."""
        ends = self._ends_of(audio)
        now_us = self._clock.now_us
        return TranscriptStream(audio, self._whisper, self.params, timeline, ends, now_us)

    def process(self, data: Any, port: str = INPUT) -> Any:
        """What the block, or the event, completes."""
        if port == INPUT:
            return super().process(data)
        return self._take(data)

    def finish(self) -> Any:
        """The last segment of every stream."""
        yield from super().finish()
        self._ends.clear()

    def reset(self) -> None:
        """Forget all streams."""
        super().reset()
        self._ends.clear()

    def close(self) -> None:
        """Let go of all streams, and of the model."""
        super().close()
        self._ends.clear()
        del self._whisper

    def _folder(self, ctx: Context) -> Path:
        folder = Path(self.params.model)
        if folder.is_dir():
            return folder
        files = cast(Files, find_store().find(self.params.model, progress=ctx.progress))
        weights = files.get(WEIGHTS)
        if not isinstance(weights, Path):
            raise ModelError(
                f"SpeechToText: model {self.params.model!r} lacks {WEIGHTS}; it has "
                f"{', '.join(files) or 'nothing'}: give a Whisper model for CTranslate2"
            )
        return weights.parent

    def _take(self, data: Json) -> Any:
        event = read_event(data)
        if event is None or event.kind != END:
            return None
        ends = self._ends_of(data)
        if len(ends) >= MAX_ENDS:
            raise DataError(
                f"SpeechToText: {MAX_ENDS} events of stream {data.stream_id!r} wait for the audio "
                f"that they are about: connect it to the port {INPUT!r}"
            )
        ends.append(End(event.end_us, event.cancelled))
        stream = self._streams.get(data.stream_id)
        return None if stream is None else stream.advance() or None

    def _ends_of(self, data: Data) -> deque[End]:
        ends = self._ends.get(data.stream_id)
        if ends is None:
            check_streams(self, self._ends, data)
            ends = self._ends[data.stream_id] = deque()
        return ends
