"""Whisper: the words of a piece of speech, by CTranslate2."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from remotemedia.errors import ModelError, UnavailableError

INSTALL = "pip install 'remotemedia[asr]'"
SAMPLE_RATE = 16_000  # Hz
LONGEST_S = 30  # what the network looks at in one run
WEIGHTS = "model.bin"
NO_SPEECH = 0.8  # probability of no speech from which on what was found is made up
FRAMES_PER_S = 100  # of the spectrum that the network looks at
LEAST_S = 10  # what it looks at for a text: of less it makes loops
BEHIND_S = 2  # silence behind the samples, the same
TOKENS_PER_S = 15  # more than anybody says
MOST_TOKENS = 200  # of a text: the network has room for 224
LOOP = 2.4  # compression ratio from which on a text is one, as OpenAI has it


class Heard(NamedTuple):
    """A word that was recognised.

    Attributes
    ----------
    text : str
        With the white space before it, if any: put together, words are the text.
    start_us, end_us : int
        From the start of the samples, µs.
    probability : float
        0 to 1.
    """

    text: str
    start_us: int
    end_us: int
    probability: float


class _Word(Protocol):
    start: float
    end: float
    word: str
    probability: float


class _Segment(Protocol):
    text: str
    words: Sequence[_Word] | None
    no_speech_prob: float
    compression_ratio: float
    tokens: Sequence[int]


class WhisperOptions(NamedTuple):
    """How to recognise: see the parameters of `SpeechToText`."""

    language: str | None
    beam_size: int
    compute_type: str
    threads: int


class Whisper:
    """A Whisper model, open.

    Parameters
    ----------
    folder : Path
        Of a model for CTranslate2: ``model.bin``, ``config.json``, ``tokenizer.json`` and a
        vocabulary.
    options : WhisperOptions

    Raises
    ------
    UnavailableError
        faster-whisper is not installed, or cannot be imported.
    ModelError
        The folder has no such model, or it is broken; or it cannot be computed as asked.
    """

    def __init__(self, folder: Path, options: WhisperOptions) -> None:
        try:
            library: Any = importlib.import_module("faster_whisper")
        except ImportError as error:
            raise UnavailableError(
                f"SpeechToText needs faster-whisper ({error}): {INSTALL}"
            ) from None
        missing = [name for name in (WEIGHTS, "tokenizer.json") if not (folder / name).is_file()]
        if missing:  # the library would look for them in the network
            raise ModelError(
                f"{folder} is no Whisper model for CTranslate2: it lacks {' and '.join(missing)} "
                "(ct2-transformers-converter makes them)"
            )
        try:
            self._model: Any = library.WhisperModel(
                str(folder),
                device="cpu",
                compute_type=options.compute_type,
                cpu_threads=options.threads,
            )
        except (RuntimeError, ValueError) as error:
            raise ModelError(
                f"Whisper model {folder} cannot be opened with compute_type "
                f"{options.compute_type!r}: {error}"
            ) from error
        self._frames = LONGEST_S * FRAMES_PER_S
        encode: Callable[[NDArray[Any]], Any] = self._model.encode
        # The library fills up to 30 s with silence, and most of a run is spent on that.
        self._model.encode = lambda features: encode(features[..., : self._frames])
        known: Sequence[str] = self._model.supported_languages
        if options.language is not None and options.language not in known:
            raise ModelError(
                f"Whisper model {folder} does not know the language {options.language!r}; it "
                f"knows {', '.join(known[:8])}{', …' if len(known) > 8 else ''}"
            )
        self._options = options

    def text(self, samples: NDArray[np.float32]) -> str:
        """What is said in at most 30 s, much quicker than `words`, and not quite as well.

        The network, which was trained on 30 s, looks at less. Where it loses itself in a loop,
        which happens then, it looks again, at 30 s.

        Parameters
        ----------
        samples : np.ndarray [shape=(n,), 16 kHz]
        """
        how = {"beam_size": 1, "without_timestamps": True, "word_timestamps": False}
        seconds = len(samples) / SAMPLE_RATE
        looked_at_s = min(LONGEST_S, max(LEAST_S, seconds + BEHIND_S))
        self._frames = math.ceil(looked_at_s * FRAMES_PER_S / 2) * 2
        try:
            most = min(MOST_TOKENS, math.ceil(seconds * TOKENS_PER_S) + 10)
            found = self._run(samples, max_new_tokens=most, **how)
        finally:
            self._frames = LONGEST_S * FRAMES_PER_S
        endless = sum(len(segment.tokens) for segment in found) >= most
        if endless or any(segment.compression_ratio > LOOP for segment in found):
            found = self._run(samples, **how)
        return "".join(segment.text for segment in found)

    def words(self, samples: NDArray[np.float32]) -> list[Heard]:
        """The words of at most 30 s; their times rise.

        Parameters
        ----------
        samples : np.ndarray [shape=(n,), 16 kHz]
        """
        found = self._run(
            samples,
            beam_size=self._options.beam_size,
            without_timestamps=False,
            word_timestamps=True,
        )
        heard: list[Heard] = []
        last = len(samples) * 1_000_000 // SAMPLE_RATE
        before = 0
        for segment in found:
            for word in segment.words or ():
                # Times come of attention: now and then one goes back, or beyond the end.
                start = min(max(before, round(word.start * 1e6)), last)
                before = min(max(start, round(word.end * 1e6)), last)
                probability = min(1.0, max(0.0, float(word.probability)))
                heard.append(Heard(word.word, start, before, probability))
        return heard

    def _run(self, samples: NDArray[np.float32], **how: object) -> list[_Segment]:
        try:
            segments, _ = self._model.transcribe(
                samples,
                language=self._options.language,
                # The likeliest words, always the same ones. Higher temperatures draw lots.
                temperature=0.0,
                # An error is not to be carried on into what follows.
                condition_on_previous_text=False,
                **how,
            )
            found: list[_Segment] = list(segments)
        except RuntimeError as error:
            raise ModelError(f"Whisper failed on {len(samples)} samples: {error}") from error
        return [
            each
            for each in found
            # Of noise it makes rows of stops, and of those it is not even unsure.
            if each.no_speech_prob < NO_SPEECH and any(map(str.isalnum, each.text))
        ]
