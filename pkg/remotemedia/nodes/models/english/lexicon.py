"""Lexicon: how a word is said, by a dictionary and the rules of endings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

from remotemedia.nodes.models.english.stress import PRIMARY, SECONDARY, stressed

Entry: TypeAlias = str | dict[str, str | None]
"""Phonemes; or those of each part of speech, ``None`` at the end, and ``DEFAULT``."""

FLAPPED_AFTER = frozenset("AIOWYiuæɑəɛɪɹʊʌ")
"""After which a t before a vowel is flapped (American)."""
SYMBOLS = {"%": "percent", "&": "and", "+": "plus", "@": "at"}
IN_ADDRESSES = {".": "dot", "/": "slash"}

_LETTERS = re.compile(r"[A-Za-z'-]+")
_DOUBLED = re.compile(r"([bcdgklmnprstvxz])\1ing$|cking$")
_VERSUS = re.compile(r"vs\.?$", re.IGNORECASE)


class Following(NamedTuple):
    """What comes behind a word.

    Attributes
    ----------
    vowel : bool, optional
        Whether it begins with one; None before a pause.
    to : bool
        Whether it is the word ``to``.
    """

    vowel: bool | None = None
    to: bool = False


class _Words:
    """A dictionary in which a word is found in lower case and with a capital."""

    def __init__(self, entries: Mapping[str, Entry]) -> None:
        self._entries = entries

    def get(self, word: str) -> Entry | None:
        found = self._entries.get(word)
        if found is not None or len(word) < 2:
            return found
        lower = word.lower()
        if word == lower:
            return self._entries.get(word.capitalize())
        return self._entries.get(lower) if word == lower.capitalize() else None

    def __contains__(self, word: str) -> bool:
        return self.get(word) is not None


class Lexicon:
    """American English words.

    Parameters
    ----------
    gold, silver : mapping of str to Entry
        Checked entries, and others.
    """

    def __init__(self, gold: Mapping[str, Entry], silver: Mapping[str, Entry]) -> None:
        self._gold, self._silver = _Words(gold), _Words(silver)

    def say(self, word: str, tag: str, stress: float | None, then: Following) -> str | None:
        """Phonemes of a word.

        Parameters
        ----------
        word : str
        tag : str
            Its part of speech.
        stress : float, optional
            See `stressed`.
        then : Following

        Returns
        -------
        str, optional
            None if it is in no dictionary, and no ending of a word that is.
        """
        said = self._special(word, tag, stress, then)
        if said is not None:
            return said
        if self._is_capitalised(word, tag, stress, then):
            word = word.lower()
        if self._knows(word):
            return self.look_up(word, tag, stress, then)
        if word.endswith("s'") and self._knows(word[:-2] + "'s"):
            return self.look_up(word[:-2] + "'s", tag, stress, then)
        if word.endswith("'") and self._knows(word[:-1]):
            return self.look_up(word[:-1], tag, stress, then)
        return (
            self.plural(word, tag, stress, then)
            or self._past(word, tag, stress, then)
            or self._gerund(word, tag, 0.5 if stress is None else stress, then)
        )

    def look_up(
        self,
        word: str,
        tag: str | None = None,
        stress: float | None = None,
        then: Following | None = None,
    ) -> str | None:
        """Phonemes of what is in a dictionary, or spelled."""
        is_name = False
        if word == word.upper() and word not in self._gold:
            word = word.lower()
            is_name = tag == "NNP"
        entry = self._gold.get(word)
        if entry is None and not is_name:
            entry = self._silver.get(word)
        if isinstance(entry, dict):
            if then is not None and then.vowel is None and "None" in entry:
                tag = "None"
            elif tag not in entry:
                tag = _kind(tag)
            entry = entry.get(tag or "", entry["DEFAULT"])
        if entry is None or (is_name and PRIMARY not in entry):
            spelled = self.spell(word)
            if spelled is not None:
                return spelled
        return None if entry is None else stressed(entry, stress)

    def spell(self, word: str) -> str | None:
        """The names of the letters, the last one stressed."""
        names = [self._gold.get(letter.upper()) for letter in word if letter.isalpha()]
        said = ""
        for name in names:
            if not isinstance(name, str):
                return None
            said += name
        return PRIMARY.join(stressed(said, 0).rsplit(SECONDARY, 1))

    def _special(self, word: str, tag: str, stress: float | None, then: Following) -> str | None:
        """Words that depend on what is behind them, and what is no word."""
        lower = word.lower()
        said: str | None = None
        if tag == "ADD" and word in IN_ADDRESSES:
            said = self.look_up(IN_ADDRESSES[word], None, -0.5, then)
        elif word in SYMBOLS:
            said = self.look_up(SYMBOLS[word], None, None, then)
        elif _is_initials(word):
            said = self.spell(word)
        elif lower == "a":
            said = "ɐ" if tag == "DT" else "ˈA"
        elif word in ("am", "Am", "AM"):
            if tag.startswith("NN"):
                said = self.spell(word)
            elif then.vowel is None or word != "am" or (stress and stress > 0):
                said = self._plain("am")
            else:
                said = "ɐm"
        elif word in ("an", "An", "AN"):
            said = self.spell(word) if word == "AN" and tag.startswith("NN") else "ɐn"
        elif word == "I" and tag == "PRP":
            said = SECONDARY + "I"
        elif word in ("by", "By", "BY") and _kind(tag) == "ADV":
            said = "bˈI"
        elif word in ("to", "To") or (word == "TO" and tag in ("TO", "IN")):
            said = self._plain("to") if then.vowel is None else "tʊ" if then.vowel else "tə"
        elif word in ("in", "In") or (word == "IN" and tag != "NNP"):
            said = (PRIMARY if then.vowel is None or tag != "IN" else "") + "ɪn"
        elif word in ("the", "The") or (word == "THE" and tag == "DT"):
            said = "ði" if then.vowel else "ðə"
        elif tag == "IN" and _VERSUS.match(word):
            said = self.look_up("versus", None, None, then)
        elif word in ("used", "Used", "USED"):
            said = self._plain("used", "VBD" if tag in ("VBD", "JJ") and then.to else "DEFAULT")
        return said

    def _plain(self, word: str, tag: str = "DEFAULT") -> str | None:
        entry = self._gold.get(word)
        return entry.get(tag) if isinstance(entry, dict) else entry

    def _knows(self, word: str) -> bool:
        if word in self._gold or word in SYMBOLS or word in self._silver:
            return True
        if not word.isalpha() or not _LETTERS.fullmatch(word):
            return False
        if len(word) == 1 or (word == word.upper() and word.lower() in self._gold):
            return True
        return word[1:] == word[1:].upper()

    def _is_capitalised(self, word: str, tag: str, stress: float | None, then: Following) -> bool:
        """Whether it is a common word with capitals."""
        lower = word.lower()
        if len(word) < 2 or word == lower or not word.replace("'", "").isalpha():
            return False
        if (tag == "NNP" and len(word) <= 7) or word in self._gold or word in self._silver:
            return False
        if word != word.upper() and word[1:] != word[1:].lower():
            return False
        if lower in self._gold or lower in self._silver:
            return True
        return any(
            ending(lower, tag, stress, then) for ending in (self.plural, self._past, self._gerund)
        )

    # -- endings -----------------------------------------------------------------------------

    def plural(
        self,
        word: str,
        tag: str | None = None,
        stress: float | None = None,
        then: Following | None = None,
    ) -> str | None:
        """A word that ends with an s which is none of the stem."""
        if len(word) < 3 or not word.endswith("s"):
            return None
        if not word.endswith("ss") and self._knows(word[:-1]):
            stem = word[:-1]
        elif (
            word.endswith("'s")
            or (len(word) > 4 and word.endswith("es") and not word.endswith("ies"))
        ) and self._knows(word[:-2]):
            stem = word[:-2]
        elif len(word) > 4 and word.endswith("ies") and self._knows(word[:-3] + "y"):
            stem = word[:-3] + "y"
        else:
            return None
        return with_s(self.look_up(stem, tag, stress, then))

    def _past(self, word: str, tag: str, stress: float | None, then: Following) -> str | None:
        if len(word) < 4 or not word.endswith("d"):
            return None
        if not word.endswith("dd") and self._knows(word[:-1]):
            stem = word[:-1]
        elif (
            len(word) > 4
            and word.endswith("ed")
            and not word.endswith("eed")
            and self._knows(word[:-2])
        ):
            stem = word[:-2]
        else:
            return None
        return with_ed(self.look_up(stem, tag, stress, then))

    def _gerund(self, word: str, tag: str, stress: float | None, then: Following) -> str | None:
        if len(word) < 5 or not word.endswith("ing"):
            return None
        if len(word) > 5 and self._knows(word[:-3]):
            stem = word[:-3]
        elif self._knows(word[:-3] + "e"):
            stem = word[:-3] + "e"
        elif len(word) > 5 and _DOUBLED.search(word) and self._knows(word[:-4]):
            stem = word[:-4]
        else:
            return None
        return with_ing(self.look_up(stem, tag, stress, then))


def with_s(stem: str | None) -> str | None:
    """The stem, and the s of a plural."""
    if not stem:
        return None
    if stem[-1] in "ptkfθ":
        return stem + "s"
    return stem + ("ᵻz" if stem[-1] in "szʃʒʧʤ" else "z")


def with_ed(stem: str | None) -> str | None:
    """The stem, and the ending of the past."""
    if not stem:
        return None
    if stem[-1] in "pkfθʃsʧ":
        return stem + "t"
    if stem[-1] == "d":
        return stem + "ᵻd"
    if stem[-1] != "t":
        return stem + "d"
    if len(stem) < 2:
        return stem + "ɪd"
    return stem[:-1] + "ɾᵻd" if stem[-2] in FLAPPED_AFTER else stem + "ᵻd"


def with_ing(stem: str | None) -> str | None:
    """The stem, and -ing."""
    if not stem:
        return None
    if len(stem) > 1 and stem[-1] == "t" and stem[-2] in FLAPPED_AFTER:
        return stem[:-1] + "ɾɪŋ"
    return stem + "ɪŋ"


def _kind(tag: str | None) -> str | None:
    """The part of speech without its forms."""
    for start, kind in (("VB", "VERB"), ("NN", "NOUN"), ("ADV", "ADV"), ("RB", "ADV")):
        if tag and tag.startswith(start):
            return kind
    return "ADJ" if tag and tag.startswith(("ADJ", "JJ")) else tag


def _is_initials(word: str) -> bool:
    """``U.S.``, ``e.g``."""
    return (
        "." in word.strip(".")
        and word.replace(".", "").isalpha()
        and len(max(word.split("."), key=len)) < 3
    )
