"""SpeculativeAudioCommit: utterances out of audio and of what is said about its speech."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar

import msgspec

from remotemedia.data import Audio, Control, Json
from remotemedia.data.messages import CancelSpeculation, read_message
from remotemedia.data.timeline import Timeline
from remotemedia.errors import DataError
from remotemedia.node import INPUT, NodeParams
from remotemedia.nodes.speech.speech_event import START, read_event
from remotemedia.nodes.speech.utterance import LATE_MS, MAX_EVENTS, Said, Terms, UtteranceStream
from remotemedia.nodes.streams import MAX_STREAMS, PerStream

SEGMENTS = "segments"
CONTROL = "control"

_Milliseconds = Annotated[int, msgspec.Meta(ge=0, le=60_000)]
_Longest = Annotated[int, msgspec.Meta(ge=100, le=600_000)]


class SpeculativeAudioCommit(PerStream[UtteranceStream]):
    """Collects the audio of an utterance, across short pauses, and emits it as one block.

    Somebody who thinks for a second has not finished. Port ``in`` takes the audio of the
    microphone, silence included, for its time is the clock here; ``segments`` the events of a
    detector of the same audio (`EnergyVAD`, `SpeculativeVADGate`); ``control`` its
    `CancelSpeculation` messages. The states of a stream:

    ===============  ==========================================================================
    idle             nobody speaks; the last of the audio is kept for the pre-roll
    speaking         a segment has started
    pending commit   it has ended; if another starts within `commit_delay_ms` of audio, the
                     utterance goes on, else it is emitted
    ===============  ==========================================================================

    An utterance reaches from `pre_roll_ms` before its first segment, but not into the utterance
    before, to the end of its last: every sample in between, once, in one `Audio` with the time
    stamp of the first. One that has less than `min_utterance_ms` of speech is dropped. One that
    reaches `max_utterance_ms` is emitted, and what follows is a new one that begins with the next
    sample; as the rest of something longer it may be shorter than `min_utterance_ms`.

    What is cancelled, by a message or by an ``end`` of state ``cancelled``, counts as if it had not
    been said: segments lose what lies in the range, an utterance that has no other is none, and
    where the range lies inside an utterance, it is silent. What has been emitted stays emitted.

    Input cases. Any sample format. Events are brought in line with the audio by their times, up to
    when it was needed to know them (``known_us``), so they may come before or after that audio, up
    to 10 s late (an error tells of later ones); JSON and control of other kinds are passed over. So
    utterances depend neither on
    how the audio is cut into blocks nor on the order of the connections. A gap of up to 2 s (or
    `commit_delay_ms`) in the time stamps becomes silence; a longer one, or one backwards, and
    another rate, number of channels or sample format end the utterance, and what is said after it
    is a new one. At the end of input what is there is emitted. Blocks of different `stream_id` are
    different streams, to which events and messages of the same `stream_id` belong. An utterance
    carries ``gap_us`` in its metadata, the time left out since the one before.

    Latency: an utterance comes `commit_delay_ms` of audio after its last sample, or when its end
    is known, whichever is later, with the block that follows.

    Examples
    --------
    What a recogniser is to be given::

        nodes:
          - {id: mic, node_type: PassThrough}
          - {id: vad, node_type: SpeculativeVADGate}
          - {id: commit, node_type: SpeculativeAudioCommit, params: {commit_delay_ms: 1000}}
        connections:
          - {from: mic, to: vad}
          - {from: mic, to: commit}
          - {from: "vad:segments", to: "commit:segments"}
          - {from: "vad:control", to: "commit:control"}
    """

    class Params(NodeParams, frozen=True):
        commit_delay_ms: Annotated[
            _Milliseconds,
            msgspec.Meta(description="Pause within an utterance at most, ms of audio."),
        ] = 1500
        pre_roll_ms: Annotated[
            _Milliseconds, msgspec.Meta(description="Audio kept before the first segment, ms.")
        ] = 200
        min_utterance_ms: Annotated[
            _Milliseconds, msgspec.Meta(description="Speech that it takes for an utterance, ms.")
        ] = 250
        max_utterance_ms: Annotated[
            _Longest, msgspec.Meta(description="Length at which an utterance is emitted, ms.")
        ] = 30_000

    input_caps: ClassVar[Mapping[str, str]] = {
        INPUT: "audio",
        SEGMENTS: "json",
        CONTROL: "control",
    }
    output_caps = "audio"
    capabilities = "passthrough"
    aliases: ClassVar[Mapping[str, str]] = {
        "max_utterance_duration_ms": "max_utterance_ms",
        "min_utterance_duration_ms": "min_utterance_ms",
    }

    params: Any

    def __init__(self, params: NodeParams | None = None, **fields: object) -> None:
        super().__init__(params, **fields)
        self._said: dict[str | None, Said] = {}

    def start(self, audio: Audio, timeline: Timeline) -> UtteranceStream:
        """The state of a stream that starts with this block."""
        before = self._streams.get(audio.stream_id)
        speaking = before is not None and before.speaking
        said = self._said_of(audio.stream_id)
        return UtteranceStream(audio, self._terms(), timeline, said, speaking=speaking)

    def process(self, data: Any, port: str = INPUT) -> Any:
        """The utterances that the block completes; None for what is said about it."""
        if port == INPUT:
            return super().process(data)
        self._take(data)
        return None

    def finish(self) -> Iterator[Audio]:
        """The last utterance of every stream."""
        yield from super().finish()
        self._said.clear()

    def reset(self) -> None:
        """Forget all streams."""
        super().reset()
        self._said.clear()

    def close(self) -> None:
        """Let go of all streams."""
        super().close()
        self._said.clear()

    def _terms(self) -> Terms:
        own = self.params
        return Terms(
            own.commit_delay_ms, own.pre_roll_ms, own.min_utterance_ms, own.max_utterance_ms
        )

    def _take(self, data: Json | Control) -> None:
        if isinstance(data, Control):
            message = read_message(data)
            if isinstance(message, CancelSpeculation):
                self._said_of(data.stream_id).retract(message.from_us, message.to_us)
                if (stream := self._streams.get(data.stream_id)) is not None:
                    stream.retract()
            return
        event = read_event(data)
        if event is None:
            return
        events = self._said_of(data.stream_id).events
        if len(events) >= MAX_EVENTS:
            raise DataError(
                f"{type(self).__name__}: {MAX_EVENTS} events of stream {data.stream_id!r} wait for "
                f"the audio that they are about: connect it to the port {INPUT!r}"
            )
        events.append(event)
        stream = self._streams.get(data.stream_id)
        if stream is None or event.kind != START:
            return
        missing_ms = stream.missing_ms(event.start_us)
        if missing_ms:
            raise DataError(
                f"{type(self).__name__}: {missing_ms} ms of the audio of a segment of stream "
                f"{data.stream_id!r} were gone when it was heard of (from {event.start_us} µs on), "
                f"and the rest is used: {LATE_MS} ms are kept, so let no longer queue stand in "
                "front of the detector"
            )

    def _said_of(self, stream_id: str | None) -> Said:
        said = self._said.get(stream_id)
        if said is None:
            if len(self._said) >= MAX_STREAMS:
                raise DataError(
                    f"{type(self).__name__} follows {MAX_STREAMS} streams already, and "
                    f"{stream_id!r} would be one more: end the session, or reset it"
                )
            said = self._said[stream_id] = Said()
        return said
