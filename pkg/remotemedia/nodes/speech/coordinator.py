"""ConversationCoordinator: whose turn it is, sentences for the voice, and the call to stop it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

import msgspec

from remotemedia.clock import Timer
from remotemedia.data import Control, Json, Text
from remotemedia.data.messages import CancelSpeculation, read_message
from remotemedia.errors import AsyncGraphError
from remotemedia.node import INPUT, OUTPUT, Context, Emit, Node, NodeParams
from remotemedia.nodes.speech.reply import Reply
from remotemedia.nodes.speech.speech_event import CONFIRM, END, START, SpeechEvent, read_event
from remotemedia.nodes.text.collector import TextCollector

SEGMENTS = "segments"
CONTROL = "control"
EVENTS = "events"

BARGE_IN = "barge_in"
PLAYBACK_ENDED = "playback_ended"
END_OF_TURN = "end_of_turn"

_DEBOUNCE = "debounce"
_SILENCE = "silence"

State = Literal["idle", "listening", "thinking", "speaking"]
_Target = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class ConversationCoordinator(Node):
    r"""Keeps the turns of a conversation between a user and a language model that is spoken.

    Input ports:

    ============  ==============================================================================
    ``in``        the text of the model as it comes, token by token. Metadata ``end_of_turn:
                  true`` on a text, which may be empty, says that the reply is complete; it is
                  taken off. Without it the last sentence waits for what follows it
    ``segments``  events of the user's speech (`EnergyVAD`, `SpeculativeVADGate`)
    ``control``   `CancelSpeculation`: what looked like the user's speech was none;
                  ``playback_ended``: the voice of the reply has been heard to its end
    ============  ==============================================================================

    Output ports:

    ============  ==============================================================================
    ``out``       the reply in sentences, for the voice: as of `TextCollector`
    ``control``   ``barge_in``, ``{"targets": [...], "start_us": ...}``, when the user speaks
                  into a reply. Whoever holds the session answers it with
                  ``session.interrupt(from_node=target)`` for each target. So it goes to the
                  client; the node itself stops nothing
    ``events``    `Json`, for people and their screens: ``{"event": "state", "state": ...}``;
                  ``{"event": "llm_silence", "silence_ms": ...}``, the model has not answered;
                  ``{"event": "dropped", "characters": ...}``, stale text that came after all
    ============  ==============================================================================

    States:

    =============  =============================================================================
    ``idle``       nobody has the turn
    ``listening``  the user speaks
    ``thinking``   the user has spoken, the model has not answered yet
    ``speaking``   it has answered; until the user speaks or ``playback_ended``, for the voice
                   is heard for longer than its text takes
    =============  =============================================================================

    Speech in ``thinking`` or ``speaking`` counts once it has gone on for `debounce_ms`, was
    confirmed, or has ended after so long. Until then nothing changes, so that a cough that is taken
    back stops nobody. Then the user has the turn. If the model was ``speaking``, or says something
    while the user speaks, the request goes out, the unfinished sentence is forgotten, and text that
    still comes is stale and dropped, up to the end of that reply or of the user's speech. If the
    model has said nothing for `llm_silence_timeout_ms` and its reply is not complete, a notice goes
    out, then what there is of a sentence, and the state is ``idle``.

    Input cases. A node keeps one conversation, whatever the `stream_id`; sentences keep those of
    their text, the request that of the speech. An interrupt that reaches the node forgets the
    turn: the state is ``idle``. JSON and control of other kinds are passed over. Outside a live
    session nothing waits for a clock: speech is a barge-in when its end says that it was long
    enough, and there is no time-out.

    Latency: a sentence with the first character after it; a barge-in `debounce_ms` of the session
    clock after the speech's ``start`` (0 suits a detector that is sure of what it says).

    Examples
    --------
    A voice agent; its nodes for recognition, model and voice left out::

        nodes:
          - {id: gate, node_type: SpeculativeVADGate}
          - {id: llm, node_type: PassThrough}
          - {id: turns, node_type: ConversationCoordinator, params: {first_chunk_min_chars: 20}}
          - {id: audio, node_type: PassThrough}
        connections:
          - {from: llm, to: turns}
          - {from: "gate:segments", to: "turns:segments"}
          - {from: "gate:control", to: "turns:control"}
          - {from: turns, to: audio}
    """

    class Params(NodeParams, frozen=True):
        llm_silence_timeout_ms: Annotated[
            int,
            msgspec.Meta(
                ge=0, le=3_600_000, description="Silence of the model that is told, ms; 0: none is."
            ),
        ] = 45_000
        debounce_ms: Annotated[
            int, msgspec.Meta(ge=0, le=10_000, description="Speech that it takes to barge in, ms.")
        ] = 150
        barge_in_targets: Annotated[
            tuple[_Target, ...],
            msgspec.Meta(max_length=32, description="Nodes that a barge-in is to interrupt, ids."),
        ] = ("llm", "audio")
        first_chunk_min_chars: Annotated[
            int,
            msgspec.Meta(
                ge=0,
                le=2000,
                description="From so many characters on, the first piece of a reply may end at a "
                "clause, to be heard sooner; 0: only at the end of a sentence.",
            ),
        ] = 0
        split_pattern: (
            Annotated[
                str,
                msgspec.Meta(
                    min_length=1, max_length=200, description="As the one of TextCollector."
                ),
            ]
            | None
        ) = None
        min_sentence_length: Annotated[
            int, msgspec.Meta(ge=0, le=2000, description="As the one of TextCollector, characters.")
        ] = 3
        yield_partial_on_end: Annotated[
            bool, msgspec.Meta(description="Whether to emit an unfinished sentence at the end.")
        ] = True

    input_caps: ClassVar[Mapping[str, str]] = {
        INPUT: "text",
        SEGMENTS: "json",
        CONTROL: "control",
    }
    output_caps: ClassVar[Mapping[str, str]] = {
        OUTPUT: "text",
        CONTROL: "control",
        EVENTS: "json",
    }
    aliases: ClassVar[Mapping[str, str]] = {
        "barge_in_debounce_ms": "debounce_ms",
        "llm_silence_timeout": "llm_silence_timeout_ms",
        "debounce": "debounce_ms",
    }

    params: Params
    _state: State
    _speech: tuple[int, str | None]  # start of the user's last, and its stream
    _pending: bool  # whether that is to be seen if it counts
    _since_us: int  # when it was heard of, by the session clock
    _stale: bool
    _dropped: int  # characters
    _replying: bool  # whether it is the model's turn to say something
    _last_us: int  # when the model was last given its turn or said something

    def __init__(self, params: NodeParams | None = None, **fields: object) -> None:
        super().__init__(params, **fields)
        own = self.params
        sentences = TextCollector.Params(
            split_pattern=own.split_pattern,
            min_sentence_length=own.min_sentence_length,
            yield_partial_on_end=own.yield_partial_on_end,
        )
        self._reply = Reply(own.first_chunk_min_chars, sentences)
        self._ctx: Context | None = None
        self._timers: dict[str, Timer] = {}
        self._forget()

    def open(self, ctx: Context) -> None:
        """Take note of the clock."""
        self._ctx = ctx

    def process(self, data: Any, port: str = INPUT) -> Iterator[Text | Emit]:
        """What the text, the event or the message leads to."""
        if port == INPUT:
            return self._read(data)
        if port == SEGMENTS:
            event = read_event(data)
            return self._hear(event, data.stream_id) if event is not None else iter(())
        return self._obey(data)

    def wake(self, token: str) -> Iterator[Text | Emit]:
        """Speech has gone on for long enough, or the model has said nothing for too long."""
        return self._check_speech() if token == _DEBOUNCE else self._check_silence()

    def finish(self) -> Iterator[Text]:
        """The unfinished sentence."""
        self._forget()
        return self._reply.end()

    def reset(self) -> None:
        """Forget the conversation."""
        self._reply.reset()
        self._forget()

    def close(self) -> None:
        """Let go of the conversation."""
        self.reset()

    # -- what comes in -----------------------------------------------------------------------

    def _read(self, text: Text) -> Iterator[Text | Emit]:
        metadata = text.metadata or {}
        ends = metadata.get(END_OF_TURN) is True
        if ends:
            left = {key: value for key, value in metadata.items() if key != END_OF_TURN}
            text = text.replace(metadata=left or None)
        if self._state == "listening" and text.text and not self._stale:
            yield from self._request()
        if self._stale:
            self._dropped += len(text.text)
            self._stale = not ends
            return
        if text.text:
            self._last_us = self._now_us()
            self._replying = True
            yield from self._turn("speaking", text.stream_id)
            yield from self._reply.process(text)
        if ends:
            self._replying = False
            self._cancel(_SILENCE)
            yield from self._reply.end()
        elif text.text:
            self._watch()

    def _hear(self, event: SpeechEvent, stream_id: str | None) -> Iterator[Emit]:
        if event.kind == START:
            if self._pending:
                return
            self._speech = event.start_us, stream_id
            self._pending = True
            self._since_us = self._now_us()
            if self._state in ("thinking", "speaking") and self.params.debounce_ms:
                self._set(_DEBOUNCE, self.params.debounce_ms * 1000)
            else:
                yield from self._listen()
            return
        long = event.end_us - event.start_us >= self.params.debounce_ms * 1000
        if event.kind == CONFIRM or (long and not event.cancelled):
            yield from self._listen()
        if event.kind == END:
            yield from self._end_of_speech(event, stream_id)

    def _end_of_speech(self, event: SpeechEvent, stream_id: str | None) -> Iterator[Emit]:
        self._stale = False
        if self._dropped:
            yield _event("dropped", stream_id, characters=self._dropped)
            self._dropped = 0
        if self._pending:  # too short to count
            self._calm()
        elif not event.cancelled:
            yield from self._turn("thinking", stream_id)
            self._last_us = self._now_us()
            self._replying = True
            self._watch()
        elif self._state == "listening":
            yield from self._turn("idle", stream_id)

    def _obey(self, control: Control) -> Iterator[Emit]:
        if control.message_type == PLAYBACK_ENDED:
            if self._state == "speaking" and not self._replying:
                self._calm()
                yield from self._turn("idle", control.stream_id)
            return
        message = read_message(control)
        if isinstance(message, CancelSpeculation) and self._pending:
            start_us, stream_id = self._speech
            if message.from_us <= start_us < message.to_us and control.stream_id == stream_id:
                self._calm()

    # -- what comes of it --------------------------------------------------------------------

    def _listen(self) -> Iterator[Emit]:
        """What was heard counts: the user has the turn."""
        if not self._pending:
            return
        self._calm()
        self._cancel(_SILENCE)
        self._replying = False
        if self._state == "speaking":
            yield from self._request()
        yield from self._turn("listening", self._speech[1])

    def _request(self) -> Iterator[Emit]:
        """Ask for the reply to be stopped; what still comes of it is stale."""
        self._reply.reset()
        self._stale = True
        start_us, stream_id = self._speech
        value = {"targets": list(self.params.barge_in_targets), "start_us": start_us}
        yield Emit(CONTROL, Control(BARGE_IN, value, pts_us=start_us, stream_id=stream_id))

    def _check_speech(self) -> Iterator[Emit]:
        # A timer that had run out when it was cancelled may ring while another is to be seen.
        if self._now_us() - self._since_us >= self.params.debounce_ms * 1000:
            yield from self._listen()

    def _check_silence(self) -> Iterator[Text | Emit]:
        self._timers.pop(_SILENCE, None)
        if not self._replying:
            return
        timeout_ms = self.params.llm_silence_timeout_ms
        left_us = self._last_us + timeout_ms * 1000 - self._now_us()
        if left_us > 0:
            self._set(_SILENCE, left_us)
            return
        self._replying = False
        yield _event("llm_silence", self._speech[1], silence_ms=timeout_ms)
        yield from self._reply.end()
        self._calm()
        yield from self._turn("idle", self._speech[1])

    def _turn(self, state: State, stream_id: str | None) -> Iterator[Emit]:
        if state != self._state:
            self._state = state
            yield _event("state", stream_id, state=state)

    def _forget(self) -> None:
        self._state = "idle"
        self._speech = 0, None
        self._pending = self._stale = self._replying = False
        self._dropped = self._since_us = self._last_us = 0
        for token in list(self._timers):
            self._cancel(token)

    def _calm(self) -> None:
        """It is no longer to be seen."""
        self._pending = False
        self._cancel(_DEBOUNCE)

    # -- timers ------------------------------------------------------------------------------

    def _watch(self) -> None:
        """See that the model goes on. One timer at a time: it looks at when it last did."""
        if self.params.llm_silence_timeout_ms and _SILENCE not in self._timers:
            self._set(_SILENCE, self.params.llm_silence_timeout_ms * 1000)

    def _set(self, token: str, delay_us: int) -> None:
        if self._ctx is None:
            return
        try:
            self._timers[token] = self._ctx.set_timer(delay_us, token)
        except AsyncGraphError:  # no time passes here
            return

    def _cancel(self, token: str) -> None:
        timer = self._timers.pop(token, None)
        if timer is not None:
            timer.cancel()

    def _now_us(self) -> int:
        return self._ctx.clock.now_us() if self._ctx is not None else 0


def _event(event: str, stream_id: str | None, **fields: object) -> Emit:
    return Emit(EVENTS, Json({"event": event, **fields}, stream_id=stream_id))
