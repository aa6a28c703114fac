"""TextToSpeech: says text, sentence by sentence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar

import msgspec
import numpy as np

from remotemedia.data import Text
from remotemedia.node import OUTPUT, NodeParams
from remotemedia.nodes.models.hibari_voice import UNKNOWN, VOICE, HibariVoice
from remotemedia.nodes.models.hibari_wave import SAMPLE_RATE
from remotemedia.nodes.models.model_node import Run
from remotemedia.nodes.models.sentences import MARKS, Sentences, SpokenStream
from remotemedia.nodes.models.streaming_model_node import Stream, StreamingModelNode

if TYPE_CHECKING:
    from remotemedia.models.store import Files


class TextToSpeech(StreamingModelNode):
    """Says English text with the voice of a small network.

    Streamed text, such as the tokens of a language model, is said sentence by sentence: the audio
    of a sentence leaves as soon as its end is known, before the next is computed. A sentence ends
    as for `TextCollector`, or after 1000 characters; one of more than 400 phonemes is said in
    parts, cut at clauses where it can be. What is left is said at the end of the input, and when a
    text, which may be empty, has the metadata ``end_of_turn: true``, which is taken off.

    Numbers, dates, times, amounts, units and abbreviations are read out; a word in no dictionary is
    read by a second network. ``[word](/phonemes/)`` says how a word is said [1]_, in Kokoro's
    alphabet; of a link only the text is read. What has no sound, such as emoji, is left out.

    Port ``out`` has one `Audio` for each sentence or part of one, mono, 24 kHz. Port ``marks`` has
    a `Json` event before each: ``text``, the sentence; ``phonemes`` of this part; whether it is the
    ``last`` of the sentence; ``start_sample`` and ``end_sample``, from the start of the stream.

    Time stamps. The audio of a sentence is at the time of the text in which it begins, or directly
    behind the one before if that is not over by then; from 0 if no text has a time.

    Input cases. Text of another `channel` than ``tts`` is not meant to be heard and is left out.
    Every `stream_id` is its own stream. An interrupt drops the text that is held. What comes out
    does not depend on how the text is cut, but for time stamps; the same text sounds the same.

    Latency: the end of a sentence is known with the first character after it. Where each text is
    complete, as behind `TextCollector` or `ConversationCoordinator`, `whole_texts` spares that.

    References
    ----------
    .. [1] M. Williams, hibari-tts, https://github.com/MMWilliams/hibari, Apache-2.0, a student of
           hexgrad's Kokoro-82M, https://huggingface.co/hexgrad/Kokoro-82M, Apache-2.0.

    Examples
    --------
    ::

        nodes:
          - {id: voice, node_type: TextToSpeech, params: {speed: 1.1}}
          - {id: chunks, node_type: AudioChunker}
        connections:
          - {from: voice, to: chunks}
    """

    class Params(NodeParams, frozen=True):
        model: Annotated[
            str,
            msgspec.Meta(description="Name of a known model, folder, or URL with its SHA-256."),
        ] = "hibari"
        speed: Annotated[
            float, msgspec.Meta(ge=0.5, le=2, description="How fast it speaks; 2 is twice as fast.")
        ] = 1.0
        whole_texts: Annotated[
            bool, msgspec.Meta(description="Each text is complete: none waits for the next.")
        ] = False
        seed: Annotated[
            int, msgspec.Meta(ge=0, le=2**32 - 1, description="Of the noise in the voice.")
        ] = 0

    input_caps = "text"
    output_caps: ClassVar[Mapping[str, str]] = {
        OUTPUT: f"audio(sample_rate={SAMPLE_RATE}, channels=1, format=F32)",
        MARKS: "json",
    }
    model_files = (VOICE, UNKNOWN)
    aliases: ClassVar[Mapping[str, str]] = {"rate": "speed", "voice": "model"}
    live_params = ("speed",)

    params: Params

    def __init__(self, params: NodeParams | None = None, **fields: object) -> None:
        super().__init__(params, **fields)
        self._sentences = Sentences(SAMPLE_RATE)
        self._voice: HibariVoice

    def prepare(self, files: Files) -> None:
        """Read the tables of the voice."""
        self._voice = HibariVoice(self.model_reference, files, *self.models)

    def warm_up(self) -> Iterable[Run]:
        """A short one of each network."""
        return self._voice.warm_up()

    def work(self, data: Text) -> Stream:
        """Say the sentences that the text completes."""
        for stream, sentence in self._sentences.add(data, self.params.whole_texts):
            yield from self._say(stream, sentence)

    def tail(self) -> Stream:
        """Say what is left."""
        for stream, sentence in self._sentences.finish():
            yield from self._say(stream, sentence)

    def reset(self) -> None:
        """Forget the text that is held."""
        self._sentences.clear()

    def _say(self, stream: SpokenStream, sentence: Text) -> Stream:
        noise = np.random.default_rng(self.params.seed)
        phrases = yield from self._voice.phrases(sentence.text)
        for left, phrase in zip(reversed(range(len(phrases))), phrases, strict=True):
            samples = yield from self._voice.samples(phrase, self.params.speed, noise)
            yield from stream.say(sentence, samples, phrase, last=not left)
