"""TurnDetector: tells when somebody has finished speaking, not just paused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar

import msgspec
import numpy as np

from remotemedia.clock import Timer
from remotemedia.data import Audio, Data, Json
from remotemedia.errors import AsyncGraphError, DataError, ModelError
from remotemedia.node import INPUT, NodeParams
from remotemedia.nodes.models.log_mel import BANDS, HOP, RATE
from remotemedia.nodes.models.model_node import Run, Work
from remotemedia.nodes.models.timed_model_node import TimedModelNode
from remotemedia.nodes.models.turn_stream import LOOKED_AT_S, MAX_EVENTS, Judge, TurnStream
from remotemedia.nodes.speech.speech_event import read_event
from remotemedia.nodes.streams import check_streams

if TYPE_CHECKING:
    from remotemedia.models.store import Files

SEGMENTS = "segments"
TURNS = "turns"

_SHAPE = (BANDS, LOOKED_AT_S * RATE // HOP)


class TurnDetector(TimedModelNode):
    """Tells when somebody has finished speaking, where a detector of speech only hears a pause.

    Port ``in`` takes the audio of the microphone, silence included; ``segments`` the events of a
    detector of the same audio (`SileroVAD`, `EnergyVAD`), which is best told to end a segment soon:
    ``min_silence_ms: 200``. Port ``turns`` emits `Json` events:

    =========  ====================================================================================
    ``start``  a turn begins, with the segment that begins
    ``pause``  a segment has ended, but the turn has not: ``end_us``, ``probability``
    ``end``    the turn has: ``end_us``, ``duration_us``, ``probability``, ``reason``
    =========  ====================================================================================

    All have ``turn`` (its number, from 1), ``start_us``, and ``known_us``, the media time up to
    which audio was needed to know it. ``probability`` is that of the turn being over, when its last
    segment had ended; null if none has. The ``reason`` is

    * ``complete``: the probability reaches `threshold`;
    * ``silence``: it did not, but nothing was said for `max_silence_ms`;
    * ``end_of_input``: of the audio, or its time jumps back;
    * ``cancelled``, with ``state: cancelled``: the detector takes back all that the turn had.

    So turns can take the place of segments: behind `TurnDetector`, `SpeculativeAudioCommit` gives
    one block for each turn, and `ConversationCoordinator` waits until a turn is over.

    Method. When a segment ends, Smart Turn's network [1]_ listens to the last 8 s of the turn, up
    to the end that the segment is said to have: not to what the detector waited, for the more
    silence it hears the more it takes for complete. Of 20 sentences of a synthetic voice it took 20
    for complete; of their beginnings, cut off where nobody would stop, it held 15 open, and 19 of
    those with an "um" behind. How far it listens was chosen on these; of 20 sentences that had no
    part in it, it took 20 for complete, and held 19 of their beginnings with an "um".

    Input cases. 16 kHz, any number of channels: their mean is listened to. NaN and infinity count
    as 0. A gap in the time stamps is silence. Events come before or after the audio that they are
    about, up to 10 s late. JSON of other kinds is passed over. Blocks of different `stream_id` are
    different streams, to which events of the same `stream_id` belong. What comes out does not
    depend on how the input is cut into blocks. Where no audio comes any more, as from a microphone
    that was muted or from the port ``audio`` of the detector, a live session goes on by its clock.

    Latency: an ``end`` that is ``complete`` comes as soon as the end of the segment is known; 40 ms
    and a block later if no audio comes after it.

    References
    ----------
    .. [1] Daily, "Smart Turn v3.2", https://github.com/pipecat-ai/smart-turn, BSD-2-Clause.

    Examples
    --------
    The utterances of a speaker, each whole::

        nodes:
          - {id: mic, node_type: PassThrough}
          - {id: vad, node_type: SileroVAD, params: {min_silence_ms: 200}}
          - {id: turn, node_type: TurnDetector, params: {max_silence_ms: 2000}}
          - {id: commit, node_type: SpeculativeAudioCommit, params: {commit_delay_ms: 0}}
        connections:
          - {from: mic, to: vad}
          - {from: mic, to: turn}
          - {from: "vad:segments", to: "turn:segments"}
          - {from: mic, to: commit}
          - {from: "turn:turns", to: "commit:segments"}
    """

    class Params(NodeParams, frozen=True):
        model: Annotated[
            str,
            msgspec.Meta(description="Name of a known model, path, or URL with its SHA-256."),
        ] = "smart-turn"
        threshold: Annotated[
            float,
            msgspec.Meta(ge=0, le=1, description="Probability from which on a turn is over."),
        ] = 0.5
        max_silence_ms: Annotated[
            int,
            msgspec.Meta(ge=0, le=60_000, description="Silence that ends any turn, ms."),
        ] = 3000

    input_caps: ClassVar[Mapping[str, str]] = {
        INPUT: f"audio(sample_rate={RATE}, format=F32)",
        SEGMENTS: "json",
    }
    output_caps: ClassVar[Mapping[str, str]] = {TURNS: "json"}
    aliases: ClassVar[Mapping[str, str]] = {"stop_secs": "max_silence_ms"}

    params: Params

    def __init__(self, params: NodeParams | None = None, **fields: object) -> None:
        super().__init__(params, **fields)
        self._streams: dict[str | None, TurnStream] = {}
        self._timers: dict[str, tuple[int, Timer]] = {}
        self._judge: Judge

    def prepare(self, files: Files) -> None:
        """Check that the model is one for this."""
        (takes, *more), (gives, *_) = self.model.inputs, self.model.outputs
        if more or takes.shape[1:] != _SHAPE or gives.shape[1:] != (1,):
            raise ModelError(
                f"TurnDetector: model {self.model_reference!r} is not one of Smart Turn: it takes "
                f"{', '.join(map(str, self.model.inputs))} and gives {gives}, not "
                f"(batch, {BANDS}, {_SHAPE[1]}) and (batch, 1)"
            )
        self._judge = Judge(self.model)

    def warm_up(self) -> Iterable[Run]:
        """Silence."""
        yield self.model, {self.model.inputs[0].name: np.zeros((1, *_SHAPE), np.float32)}

    def work(self, data: Audio | Json, port: str = INPUT) -> Work[list[Json] | None]:
        """What the block completes, or the event."""
        if isinstance(data, Audio):
            stream = self._stream(data)
            found = yield from stream.push(data, self.ctx.clock.now_us())
        else:
            event = read_event(data)
            if event is None:
                return None
            stream = self._stream(data)
            if stream.waits >= MAX_EVENTS:
                raise DataError(
                    f"TurnDetector: {MAX_EVENTS} events of stream {data.stream_id!r} wait for the "
                    f"audio that they are about: connect it to the port {INPUT!r}"
                )
            found = yield from stream.hear(event)
        self._watch(stream)
        return found or None

    def awaken(self, token: str) -> Work[list[Json] | None]:
        """No audio has come for a while."""
        found: list[Json] = []
        for stream in list(self._streams.values()):
            if stream.token == token:
                self._timers.pop(token, None)
                found += yield from stream.expire(self.ctx.clock.now_us())
                self._watch(stream)
        return found or None

    def tail(self) -> Work[list[Json]]:
        """The tail of every stream."""
        found: list[Json] = []
        while self._streams:
            found += yield from self._streams.pop(next(iter(self._streams))).finish()
        self.reset()
        return found

    def reset(self) -> None:
        """Forget all streams."""
        self._streams.clear()
        for _, timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def close(self) -> None:
        """Let go of the model and of all streams."""
        self.reset()
        super().close()

    def _stream(self, data: Data) -> TurnStream:
        stream = self._streams.get(data.stream_id)
        if stream is None:
            check_streams(self, self._streams, data)
            own = self.params
            stream = TurnStream(self._judge, own.threshold, own.max_silence_ms, data.stream_id)
            self._streams[data.stream_id] = stream
        return stream

    def _watch(self, stream: TurnStream) -> None:
        """Have `awaken` called when the stream is due, if no audio comes."""
        due_us = stream.due_us()
        if due_us is None:
            return  # a timer that is set finds nothing to do
        set_us, timer = self._timers.get(stream.token, (None, None))
        if timer is not None and set_us is not None:
            if set_us <= due_us:  # it will be looked at again by then
                return
            timer.cancel()
        try:
            delay_us = max(0, due_us - self.ctx.clock.now_us())
            self._timers[stream.token] = due_us, self.ctx.set_timer(delay_us, stream.token)
        except AsyncGraphError:  # no time passes here
            return
