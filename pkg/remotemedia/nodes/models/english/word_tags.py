"""Parts of speech, by an averaged perceptron."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec


class TagWeights(msgspec.Struct, frozen=True):
    """What it has learned; ``tagger.json`` of the model.

    Attributes
    ----------
    tagdict : dict
        Words that are nearly always the same: that.
    tags : list of str
        Those of the Penn Treebank.
    vocab : set of str
        Words that are told apart; of others only the shape is looked at.
    weights : dict
        Feature: weight of each tag.
    """

    tagdict: dict[str, str]
    tags: list[str]
    vocab: set[str]
    weights: dict[str, dict[str, float]]


class Tagger:
    """Gives each word its part of speech.

    Parameters
    ----------
    learned : TagWeights
    """

    def __init__(self, learned: TagWeights) -> None:
        self._learned = learned

    def __call__(self, words: Sequence[str]) -> list[str]:
        """A tag for each word of a sentence."""
        known = self._learned
        around = ["-START2-", "-START-", *map(self._known_as, words), "-END-", "-END2-"]
        tags = ["-START2-", "-START-"]
        for index, word in enumerate(words):
            tag = known.tagdict.get(word)
            if tag is None:
                tag = self._judge(index, word, around, *tags[-2:])
            tags.append(tag)
        return tags[2:]

    def _known_as(self, word: str) -> str:
        known = _normal(word)
        return known if known in self._learned.vocab else f"<{_shape(word)}>"

    def _judge(self, index: int, word: str, around: list[str], second: str, first: str) -> str:
        w2, w1, here, after1, after2 = around[index : index + 5]
        features = (
            *("b", f"s3={word[-3:]}", f"p1={word[0]}", f"w={here}", f"sh={_shape(word)}"),
            *("i+" if index else "i0", f"t-1={first}", f"t-2={second}", f"t-12={first},{second}"),
            *(f"w-1={w1}", f"s3-1={w1[-3:]}", f"w-2={w2}"),
            *(f"w+1={after1}", f"s3+1={after1[-3:]}", f"w+2={after2}"),
        )
        scores: dict[str, float] = {}
        for feature in features:
            for tag, weight in self._learned.weights.get(feature, {}).items():
                scores[tag] = scores.get(tag, 0) + weight
        if not scores:
            return "NN"
        return max(self._learned.tags, key=lambda tag: (scores.get(tag, 0), tag))


def _normal(word: str) -> str:
    if "-" in word and word[0] != "-":
        return "!HYPHEN"
    if word.isdigit() and len(word) == 4:
        return "!YEAR"
    return "!DIGITS" if word[0].isdigit() else word.lower()


def _shape(word: str) -> str:
    if word.isalpha():
        if word.islower():
            return "x"
        if word.isupper():
            return "XX" if len(word) > 1 else "X1"
        return "Xx" if word[0].isupper() and word[1:].islower() else "xX"
    if word.isdigit():
        return "d"
    return "".join("d" if c.isdigit() else "x" if c.isalpha() else c for c in word[:4])
