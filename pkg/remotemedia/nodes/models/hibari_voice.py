"""HibariVoice: sentences to samples, by the networks and tables of hibari-tts."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec
import numpy as np

from remotemedia.errors import ModelError
from remotemedia.nodes.models.english.lexicon import Entry, Lexicon
from remotemedia.nodes.models.english.phonemes import Phonemes
from remotemedia.nodes.models.english.spoken_text import SpokenText, SpokenWords
from remotemedia.nodes.models.english.unknown_words import Alphabet, UnknownWords
from remotemedia.nodes.models.english.word_tags import Tagger, TagWeights
from remotemedia.nodes.models.english.word_tokens import Tokens
from remotemedia.nodes.models.hibari_wave import BINS, Floats, samples_of
from remotemedia.nodes.models.model_node import Run, Work

if TYPE_CHECKING:
    from remotemedia.models.backend import Model
    from remotemedia.models.store import Files

VOICE = "hibari.onnx"
UNKNOWN = "oov.onnx"
LONGEST = 400  # phonemes: what it is run on at once
LARGEST_TABLE = 64 << 20  # bytes, unpacked

_CLAUSE_END = re.compile(r"(?<=[,;:—])\s+")
_GZIP = 31  # for zlib: with a header of gzip

T = TypeVar("T")


class HibariVoice:
    """A voice that says English sentences.

    Parameters
    ----------
    name : str
        Of the model, for messages.
    files : mapping of str to Path or bytes
    voice, unknown : Model
        Of `VOICE` and `UNKNOWN`.

    Raises
    ------
    ModelError
        A file is missing or broken, or the network is another.
    """

    def __init__(self, name: str, files: Files, voice: Model, unknown: Model) -> None:
        self._voice = voice
        self._name = name
        given = [each.name for each in voice.inputs]
        if sorted(given) != ["ids", "speed"]:
            raise ModelError(
                f"model {name!r}: {VOICE} is no voice of hibari: its inputs are "
                f"{', '.join(given)}, not ids and speed; take the files of hibari-tts 0.2"
            )
        tables = _Tables(name, files)
        lexicon = Lexicon(
            tables.read("lexicon_us_gold.json.gz", dict[str, Entry]),
            tables.read("lexicon_us_silver.json.gz", dict[str, Entry]),
        )
        self._numbers = tables.read("vocab.json", dict[str, int])
        self._unknown = unknown
        self._phonemes = Phonemes(
            SpokenText(tables.read("normalize.json", SpokenWords)),
            Tokens(tables.read("tokenizer_exceptions.json", dict[str, list[str]])),
            Tagger(tables.read("tagger.json.gz", TagWeights)),
            lexicon,
            UnknownWords(unknown, tables.read("oov.json", Alphabet)),
        )

    def phrases(self, sentence: str) -> Work[list[str]]:
        """The phonemes of a sentence, a long one in parts; none if nothing can be heard of it."""
        said = yield from self._phonemes.say(sentence)
        return [phrase for phrase in _cut(said) if any(map(str.isalpha, phrase))]

    def samples(self, phrase: str, speed: float, noise: np.random.Generator) -> Work[Floats]:
        """The samples of a phrase [shape=(n,)], at 24 kHz, about -1 to 1."""
        numbers = [0, *(self._numbers[char] for char in phrase if char in self._numbers), 0]
        spectra = yield self._voice, self._feeds(numbers, speed)
        shape = spectra["lh"].shape
        if len(shape) != 3 or shape[1] != BINS:
            raise ModelError(
                f"model {self._name!r}: {VOICE} gave a spectrum of shape {shape}, not "
                f"(1, {BINS}, frames); take the files of hibari-tts 0.2"
            )
        return samples_of(spectra, noise)

    def warm_up(self) -> Iterator[Run]:
        """A run of each network."""
        yield self._voice, self._feeds([0, *range(43, 63), 0], 1.0)
        yield self._unknown, {"chars": np.ones((1, 8), np.int64)}

    @staticmethod
    def _feeds(numbers: list[int], speed: float) -> dict[str, np.ndarray]:
        return {"ids": np.array([numbers], np.int64), "speed": np.array([speed], np.float32)}


class _Tables:
    """The tables among the files of a model."""

    def __init__(self, name: str, files: Files) -> None:
        self._name = name
        self._files = files

    def read(self, file: str, kind: type[T]) -> T:
        """A table, checked."""
        found = self._files.get(file)
        if found is None:
            raise ModelError(
                f"model {self._name!r} lacks {file}; it has {', '.join(self._files)}: "
                "take all the files of hibari-tts 0.2"
            )
        data = found.read_bytes() if isinstance(found, Path) else found
        try:
            if file.endswith(".gz"):
                unpacking = zlib.decompressobj(_GZIP)
                data = unpacking.decompress(data, LARGEST_TABLE)
                if not unpacking.eof:
                    raise ValueError("cut off, or larger than 64 MiB")
            return msgspec.json.decode(data, type=kind)
        except (ValueError, zlib.error, RecursionError) as error:
            raise ModelError(
                f"model {self._name!r}: {file} is broken: {error}; fetch it again"
            ) from None


def _cut(said: str) -> list[str]:
    """In parts that are not too long: at clauses, else between words, else anywhere."""
    if len(said) <= LONGEST:
        return [said]
    return list(_packed(_CLAUSE_END.split(said)))


def _packed(parts: Iterable[str]) -> Iterator[str]:
    """Parts joined while they are short enough, and cut where one alone is not."""
    held = ""
    for part in parts:
        if held and len(held) + len(part) + 1 > LONGEST:
            yield held
            held = ""
        if len(part) > LONGEST:
            words = part.split()
            whole = [part[i : i + LONGEST] for i in range(0, len(part), LONGEST)]
            *first, part = _packed(words) if len(words) > 1 else whole
            yield from first
        held = f"{held} {part}" if held else part
    if held:
        yield held
