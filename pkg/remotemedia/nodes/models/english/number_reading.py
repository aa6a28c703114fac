"""NumberReading: how digits are said, by where they stand."""

from __future__ import annotations

import re

from remotemedia.nodes.models.english import number_words
from remotemedia.nodes.models.english.lexicon import Lexicon, with_ed, with_ing, with_s

CURRENCIES = {"$": ("dollar", "cent"), "£": ("pound", "pence"), "€": ("euro", "cent")}
ORDINAL_ENDINGS = ("st", "nd", "rd", "th")
_ENDINGS = ("ing", "'d", "ed", "'s", *ORDINAL_ENDINGS, "s")
_LETTERS_BEHIND = re.compile(r"[a-z']+$")
_BETWEEN_WORDS = re.compile(r"[^a-z]+")
_DIGITS = re.compile(r"[0-9]+")


def is_digits(text: str) -> bool:
    """Whether it is nothing but 0 to 9."""
    return _DIGITS.fullmatch(text) is not None


class NumberReading:
    """Reads numbers: years, amounts, decimals, ordinals, digits behind letters.

    Parameters
    ----------
    lexicon : Lexicon
        Knows the words.
    """

    def __init__(self, lexicon: Lexicon) -> None:
        self._lexicon = lexicon

    @staticmethod
    def accepts(word: str, is_head: bool) -> bool:
        """Whether it is a number, with an ending or not.

        Parameters
        ----------
        word : str
        is_head : bool
            It does not stand behind letters.
        """
        if not _DIGITS.search(word):
            return False
        for ending in _ENDINGS:
            if word.endswith(ending):
                word = word[: -len(ending)]
                break
        if is_head and word.startswith("-"):
            word = word[1:]
        return all(is_digits(char) or char in ",." for char in word)

    def say(self, word: str, currency: str | None, is_head: bool) -> str | None:
        """Phonemes of a number.

        Parameters
        ----------
        word : str
        currency : str, optional
            The sign before it.
        is_head : bool
            It does not stand behind letters.
        """
        found = _LETTERS_BEHIND.search(word)
        ending = found[0] if found else ""
        word = word[: len(word) - len(ending)]
        said = ["minus"] if word.startswith("-") else []
        said += self._words(word.removeprefix("-"), ending, currency, is_head, not said)
        phonemes = [
            self._lexicon.look_up(each, None, -2 if each in ("point", "O") else None)
            if each not in ("dollars", "cents", "pounds", "euros")
            else self._lexicon.plural(each)
            for each in said
        ]
        text = " ".join(each for each in phonemes if each)
        if ending in ("s", "'s"):
            return with_s(text)
        if ending in ("ed", "'d"):
            return with_ed(text)
        return (with_ing(text) if ending == "ing" else text) or None

    def with_currency(self, phonemes: str, currency: str | None) -> str:
        """What is no plain number, with the name of the currency behind it."""
        if currency not in CURRENCIES:
            return phonemes
        return f"{phonemes} {self._lexicon.plural(CURRENCIES[currency][0] + 's')}"

    def _words(
        self, word: str, ending: str, currency: str | None, is_head: bool, may_be_year: bool
    ) -> list[str]:
        digits = word.replace(",", "")
        is_ordinal = ending in ORDINAL_ENDINGS
        if max(map(len, digits.split("."))) > number_words.MOST_DIGITS:
            return _one_by_one(digits)
        if is_digits(word) and is_ordinal:
            return _split(number_words.ordinal(int(word)))
        if may_be_year and len(word) == 4 and currency not in CURRENCIES and is_digits(word):
            return _split(number_words.year(int(word)))
        if not is_head and "." not in word:
            return _behind_letters(digits)
        if word.count(".") > 1 or not is_head:
            return _version(digits)
        if currency in CURRENCIES and ("." not in word or len(word.split(".")[1]) < 3):
            return _amount(digits, *CURRENCIES[currency])
        if "." not in word:
            number = int(digits)
            is_ordinal = is_ordinal and not is_digits(word)
            return _split((number_words.ordinal if is_ordinal else number_words.cardinal)(number))
        if digits[0] == ".":
            return ["point", *_one_by_one(digits)]
        return _split(number_words.decimal(digits))


def _split(words: str) -> list[str]:
    return [each for each in _BETWEEN_WORDS.split(words) if each not in ("", "and")]


def _cardinal(digits: str) -> list[str]:
    return _split(number_words.cardinal(int(digits)))


def _one_by_one(digits: str) -> list[str]:
    return [number_words.ONES[int(digit)] for digit in digits if digit != "."]


def _behind_letters(digits: str) -> list[str]:
    """``A380``: three eighty."""
    if digits[0] == "0" or len(digits) > 3:
        return _one_by_one(digits)
    if len(digits) < 3 or digits.endswith("00"):
        return _cardinal(digits)
    if digits[1] == "0":
        return [*_cardinal(digits[0]), "O", *_cardinal(digits[2])]
    return [*_cardinal(digits[0]), *_cardinal(digits[1:])]


def _version(digits: str) -> list[str]:
    """``1.12.3``."""
    words: list[str] = []
    for part in filter(None, digits.split(".")):
        if part[0] == "0" or (len(part) != 2 and part[1:].strip("0")):
            words += _one_by_one(part)
        else:
            words += _cardinal(part)
    return words


def _amount(digits: str, large: str, small: str) -> list[str]:
    whole, _, part = digits.partition(".")
    amounts = [(int(whole or 0), large)]
    if "." in digits:
        amounts += [(int(part or 0), small)]
        if amounts[1][0] == 0:
            amounts = amounts[:1]
        elif amounts[0][0] == 0:
            amounts = amounts[1:]
    words: list[str] = []
    for number, unit in amounts:
        words += ["and"] if words else []
        words += _split(number_words.cardinal(number))
        words += [unit if number == 1 or unit == "pence" else unit + "s"]
    return words
