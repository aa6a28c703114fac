"""WakeWord: hears its name, and lets out what is said after it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import msgspec

from remotemedia.data import Audio, Json
from remotemedia.data.timeline import Timeline
from remotemedia.errors import ModelError, ParamsError, nearest
from remotemedia.models.store import Files
from remotemedia.node import INPUT, NodeParams
from remotemedia.nodes.analysis.energy_vad import Milliseconds
from remotemedia.nodes.models.listening import AUDIO, SEGMENTS
from remotemedia.nodes.models.model_node import IN_A_PAGE, Work
from remotemedia.nodes.models.model_streams import PerModelStream
from remotemedia.nodes.models.silero_vad import Probability
from remotemedia.nodes.models.wake_word_scores import (
    MELS,
    SPECTRA,
    VALUES,
    Classifier,
    WordScores,
)
from remotemedia.nodes.models.wake_word_stream import WORDS, WakeWordStream
from remotemedia.nodes.speech.speech_event import END, read_event


class WakeWord(PerModelStream[WakeWordStream]):
    """Hears wake words with openWakeWord's networks, and lets out what is said after one.

    Port ``words`` (the default output) emits a `Json` event when a word was said: ``event``,
    ``wake_word``; ``word``; ``score``, 0 to 1; ``end_sample``, counted from the start of the
    stream, and ``end_us``: the end of the frame in which it was recognised, which is the time stamp
    of the event, too. Port ``audio`` emits what comes after, and nothing else, for `listen_ms`;
    port ``segments`` where that begins and ends, as `EnergyVAD`, but that an ``end`` has no
    ``snr_db``, and its ``reason`` is ``silence``, ``gap``, ``listen_ms`` or ``end_of_input``.

    Method [1]_. Every 80 ms a network gives 96 numbers for the last 775 ms of sound, of 32 bands of
    it on the mel scale; a small one for each word looks at the last 16 or so of those and gives a
    score. A word was said when its score reaches the threshold in `patience` frames one after the
    other. Then the score has to fall below it again, and `cooldown_ms` to pass, before the same
    word is said once more. The scores are those of openWakeWord's own streaming, frame by frame.

    Words. openWakeWord's own ``alexa``, ``hey_jarvis``, ``hey_mycroft``, ``hey_rhasspy``;
    ``weather`` (as in "what's the weather") and ``timer``, whose events have another ``word`` for
    each length: ``5_minute_timer``. Their licence, CC BY-NC-SA 4.0, forbids commercial use. Or the
    path or URL of a classifier that was trained with openWakeWord; its word is then the name of the
    file without ``.onnx``. What is common to all words is computed once. A page has to be served
    the model files from a folder of its own (`modelsUrl`): where they are published, no page may
    fetch them. What sounds much like a word is heard, too, such as "a Lexus" for ``alexa``.

    Listening. Each word begins it anew. It ends after `listen_ms`, or with a gap in the time stamps
    longer than `pause_ms`; but not before half a second was said, for most people pause after the
    word. What is let out is one segment up to the next gap.

    Behind a `SileroVAD` or `EnergyVAD`, port ``in`` takes its ``audio``, which has gaps where
    nobody speaks, and port ``segments`` its events: a segment then ends when the detector says so,
    not with the gap that follows. Both may be left out; alone, ``in`` takes all the audio.

    Input cases. 16 kHz, any number of channels: their mean is looked at. NaN and infinity count as
    0 and what is louder than 1 is cut off there, but all stays in the audio. Before the stream and
    in a gap it is silent for the networks; where time jumps back, so it is for long, and listening
    ends. At the end of the input they hear another second of silence. Where the number of channels
    changes, a new stream begins. Blocks of different `stream_id` are different streams. An empty
    block gives nothing. What comes out does not depend on how the input is cut into blocks.

    Latency: an event comes with the frame of 80 ms that it ends with; a word that a gap follows may
    be recognised with the block after the gap. Audio comes at once, as does the ``end`` of a
    segment of a detector's; without one it comes with the block after the gap.

    References
    ----------
    .. [1] D. Scripka, openWakeWord, https://github.com/dscripka/openWakeWord, Apache-2.0; upon
           J. Lin et al., "Training Keyword Spotters with Limited and Synthesized Speech Data",
           Proc. ICASSP 2020.

    Examples
    --------
    ::

        nodes:
          - {id: to16k, node_type: AudioResample, params: {target_rate: 16000}}
          - {id: vad, node_type: SileroVAD, params: {min_silence_ms: 500}}
          - {id: wake, node_type: WakeWord, params: {words: [hey_jarvis, alexa]}}
          - {id: asr, node_type: SpeechToText}
        connections:
          - {from: to16k, to: vad}
          - {from: "vad:audio", to: wake}
          - {from: "vad:segments", to: "wake:segments"}
          - {from: "wake:audio", to: asr}
          - {from: "wake:segments", to: "asr:segments"}
    """

    class Params(NodeParams, frozen=True):
        words: Annotated[
            tuple[str, ...],
            msgspec.Meta(
                min_length=1,
                description="Known words; or path, or URL with its SHA-256, of a classifier.",
            ),
        ] = ("hey_jarvis",)
        threshold: Annotated[
            Probability, msgspec.Meta(description="Score from which on a word was said.")
        ] = 0.5
        thresholds: Annotated[
            dict[str, Probability],
            msgspec.Meta(description="By word, where it is another one than `threshold`."),
        ] = msgspec.field(default_factory=dict)
        patience: Annotated[
            int, msgspec.Meta(ge=1, le=100, description="Frames that have to reach it in a row.")
        ] = 1
        cooldown_ms: Annotated[
            Milliseconds, msgspec.Meta(description="No second event of a word within this, ms.")
        ] = 2000
        listen_ms: Annotated[
            Milliseconds, msgspec.Meta(description="Time after a word that is let out, ms.")
        ] = 8000
        pause_ms: Annotated[
            Milliseconds, msgspec.Meta(description="A longer gap ends what is let out, ms.")
        ] = 1000
        model: Annotated[
            str,
            msgspec.Meta(
                description="What all words share: known model, folder, or URL with its SHA-256."
            ),
        ] = "openwakeword"

    input_caps: ClassVar[Mapping[str, str]] = {
        INPUT: "audio(sample_rate=16000, format=F32)",
        SEGMENTS: "json",
    }
    output_caps: ClassVar[Mapping[str, str]] = {
        WORDS: "json",
        AUDIO: "audio(sample_rate=16000, format=F32)",
        SEGMENTS: "json",
    }
    capabilities = "passthrough"
    model_files = ("melspectrogram.onnx", "embedding_model.onnx")
    live_params = (
        "threshold",
        "thresholds",
        "patience",
        "cooldown_ms",
        "listen_ms",
        "pause_ms",
    )
    aliases: ClassVar[Mapping[str, str]] = {
        "wakeword_models": "words",
        "detection_threshold": "threshold",
    }

    params: Params

    def __init__(self, params: NodeParams | None = None, **fields: object) -> None:
        super().__init__(params, **fields)
        words = [_word(each) for each in self.params.words]
        if twice := [each for each in words if words.count(each) > 1]:
            raise ParamsError(f"WakeWord: words has {twice[0]!r} twice: leave one out")
        self._classifiers: list[Classifier] = []

    @property
    def further_models(self) -> Sequence[str]:
        """The classifiers of the words."""
        return [_reference(each) for each in self.params.words]

    def prepare(self, files: Files) -> None:
        """Check that the models are openWakeWord's."""
        spectra, embedding, *classifiers = self.models
        taken, given = spectra.inputs[0].shape, spectra.outputs[0].shape
        fits = [len(taken) == 2 and len(given) == 4 and given[3] == MELS]
        taken, given = embedding.inputs[0].shape, embedding.outputs[0].shape
        fits += [taken[1:] == (SPECTRA, MELS, 1) and given[-1:] == (VALUES,)]
        for name, model, fit in zip(self.model_files, self.models, fits, strict=False):
            if not fit:
                raise ModelError(
                    f"WakeWord: {name} of model {self.model_reference!r} is not openWakeWord's: "
                    f"it takes {model.inputs[0]} and gives {model.outputs[0]}"
                )
        self._classifiers = [
            Classifier(_word(word), model)
            for word, model in zip(self.params.words, classifiers, strict=True)
        ]
        self._check_thresholds(self.params)

    if not TYPE_CHECKING and IN_A_PAGE:

        async def process(self, data: Any, port: str = INPUT) -> Any:
            """What comes of a block, or of an event of the detector."""
            return await super().process(data)

    else:

        def process(self, data: Any, port: str = INPUT) -> Any:
            """What comes of a block, or of an event of the detector."""
            return super().process(data)

    def work(self, data: Audio | Json) -> Work[list[Any]]:
        """What the block, or the event, completes."""
        return super().work(data) if isinstance(data, Audio) else self._take(data)

    def _take(self, data: Json) -> Work[list[Any]]:
        event = read_event(data)
        stream = self._streams.get(data.stream_id)
        if event is None or event.kind != END or stream is None:
            return []
        return stream.take(event)
        yield  # a generator, as every work is

    def start(self, audio: Audio, timeline: Timeline) -> WakeWordStream:
        """The state of a stream that starts with this block."""
        spectra, embedding = self.models[:2]
        scores = WordScores(spectra, embedding, self._classifiers)
        return WakeWordStream(scores, audio, self.params, timeline)

    def update(self, params: Params) -> None:
        """Other parameters, from the next block on."""
        self._check_thresholds(params)
        self.params = params
        for stream in self._streams.values():
            stream.params = params

    def _check_thresholds(self, params: Params) -> None:
        known = [label for each in self._classifiers for label in each.labels.values()]
        for word in params.thresholds:
            if word not in known:
                hint = nearest(word, known) or f" (one of {', '.join(known)})"
                raise ParamsError(f"WakeWord: thresholds has {word!r}, which is no word{hint}")


def _is_known(word: str) -> bool:
    """Whether it is meant to be a word, and no path or URL."""
    return not set(word) & set("./\\")


def _reference(word: str) -> str:
    return word.replace(" ", "_").lower() if _is_known(word) else word


def _word(word: str) -> str:
    """What events call it."""
    if _is_known(word):
        return _reference(word)
    name = word.partition("#")[0].partition("?")[0].replace("\\", "/").rpartition("/")[2]
    return name.removesuffix(".onnx")
