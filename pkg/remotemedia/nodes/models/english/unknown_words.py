"""UnknownWords: words that are in no dictionary, by a network that has learned to spell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

if TYPE_CHECKING:
    from remotemedia.models.backend import Model
    from remotemedia.nodes.models.model_node import Work


class Alphabet(msgspec.Struct, frozen=True, rename={"letters": "in", "phonemes": "out"}):
    """What the network reads and gives; ``oov.json`` of the model."""

    letters: list[str]
    phonemes: list[str]
    maxlen: int


class UnknownWords:
    """Reads a word letter by letter.

    Parameters
    ----------
    model : Model
        Gives a phoneme or none for each step; the same one twice is meant once.
    alphabet : Alphabet
    """

    def __init__(self, model: Model, alphabet: Alphabet) -> None:
        self._model = model
        self._numbers = {letter: index for index, letter in enumerate(alphabet.letters, 1)}
        self._phonemes = ["", *alphabet.phonemes]
        self._longest = alphabet.maxlen

    def say(self, word: str) -> Work[str]:
        """Its phonemes; empty for letters that it does not know."""
        numbers = [self._numbers[char] for char in word if char in self._numbers]
        if not numbers:
            return ""
        feeds = {"chars": np.array([numbers[: self._longest]], np.int64)}
        steps = (yield self._model, feeds)["ids"][0].tolist()
        return "".join(
            self._phonemes[step]
            for before, step in zip([0, *steps], steps, strict=False)
            if step != before
        )
