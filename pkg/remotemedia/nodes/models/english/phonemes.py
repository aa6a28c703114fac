"""Phonemes: from a sentence to how it is said."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec

from remotemedia.nodes.models.english.lexicon import Following, Lexicon
from remotemedia.nodes.models.english.number_reading import CURRENCIES, NumberReading, is_digits
from remotemedia.nodes.models.english.stress import CONSONANTS, PRIMARY, VOWELS, stressed, weight

if TYPE_CHECKING:
    from remotemedia.nodes.models.english.spoken_text import SpokenText
    from remotemedia.nodes.models.english.unknown_words import UnknownWords
    from remotemedia.nodes.models.english.word_tags import Tagger
    from remotemedia.nodes.models.english.word_tokens import Tokens
    from remotemedia.nodes.models.model_node import Work

PAUSES = frozenset(";:,.!?—…")
MARKS = PAUSES | frozenset('"“”')
SILENT = frozenset("',-._‘’/")
"""Within a word."""
MOST_PARTS = 16
"""Of one word: what to take together is tried out, which takes the square of it."""
MARK_TAGS = frozenset([".", ",", "-LRB-", "-RRB-", "``", '""', "''", ":", "$", "#", "NFP"])
MARKS_OF_TAGS = {"-LRB-": "(", "-RRB-": ")", "``": "“", '""': "”", "''": "”"}
SYMBOLS = {
    "/": "slˈæʃ",
    "=": "ˈikwᵊlz",
    "+": "plˈʌs",
    "&": "ænd",
    "@": "æt",
    "%": "pəɹsˈɛnt",
    "#": "hˈæʃ",
    "*": "ˈæstəɹˌɪsk",
    "~": "tˈɪldə",
    "^": "kˈɛɹət",
    "<": "lˈɛs ðən",
    ">": "ɡɹˈATəɹ ðən",
    "—": "—",
}

_LINK = re.compile(r"\[([^\]]+)\]\(([^\)]*)\)")
_UPPER, _LOWER = "A-ZÀ-ÖØ-Þ", "a-zß-öø-ÿ"
_PARTS = re.compile(
    rf"^['‘’]+|[{_UPPER}](?=[{_UPPER}][{_LOWER}])|(?:^-)?(?:\d?[,.]?\d)+|[-_]+|['‘’]{{2,}}"
    rf"|[^\W\d_]*?(?:['‘’][^\W\d_])*?[{_LOWER}](?=[{_UPPER}])|[^\W\d_]+(?:['‘’][^\W\d_])*"
    r"|[^\w\-'‘’]|['‘’]+$"
)
_UNKNOWN = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*|\d+(?:[,.]\d+)*|[^\w\s]+")


class Part(msgspec.Struct):
    """A word, a mark, or a part of a word: ``iPhone``, ``A380``.

    Attributes
    ----------
    text, tag : str
        What is written, and its part of speech.
    space : str
        What stands behind: a space or nothing.
    said : str, optional
        Phonemes, once they are known.
    alias : str
        What is read instead.
    currency : str, optional
        The sign before it.
    is_head : bool
        It is the first part.
    is_apart : bool
        It is said as a word of its own.
    """

    text: str
    tag: str
    space: str = ""
    said: str | None = None
    alias: str = ""
    currency: str | None = None
    is_head: bool = True
    is_apart: bool = False


class Phonemes:
    """Gives the phonemes of a sentence.

    Words are read from the last to the first, for ``the`` and ``to`` depend on what follows.

    Parameters
    ----------
    spoken : SpokenText
    tokens : Tokens
    tagger : Tagger
    lexicon : Lexicon
    unknown : UnknownWords
        Reads what is in no dictionary.
    """

    def __init__(
        self,
        spoken: SpokenText,
        tokens: Tokens,
        tagger: Tagger,
        lexicon: Lexicon,
        unknown: UnknownWords,
    ) -> None:
        self._spoken = spoken
        self._tokens = tokens
        self._tagger = tagger
        self._lexicon = lexicon
        self._numbers = NumberReading(lexicon)
        self._unknown = unknown

    def say(self, sentence: str) -> Work[str]:
        """The phonemes of a sentence; ``[word](/phonemes/)`` says them itself."""
        words = _in_words(list(self._parts_of(self._spoken(sentence))))
        then = Following()
        for word in reversed(words):
            then = yield from self._say_word(word, then)
        said = "".join(_joined(word) + word[-1].space for word in words)
        return said.replace("ɾ", "T").replace("ʔ", "t").strip()

    def _parts_of(self, text: str) -> Iterator[Part]:
        start = 0
        for link in _LINK.finditer(text):
            yield from self._plain(text[start : link.start()])
            shown, behind = link[1], link[2]
            is_said = len(behind) > 1 and behind[0] == behind[-1] == "/"
            space = " " if text[link.end() : link.end() + 1].isspace() else ""
            yield Part(shown, "NN", space, behind[1:].rstrip("/") if is_said else None)
            start = link.end()
        yield from self._plain(text[start:])

    def _plain(self, text: str) -> Iterator[Part]:
        pieces = self._tokens(text)
        tags = self._tagger([piece.text for piece in pieces])
        for piece, tag in zip(pieces, tags, strict=True):
            yield Part(piece.text, tag, piece.space)

    def _say_word(self, word: list[Part], then: Following) -> Work[Following]:
        if len(word) == 1:
            (part,) = word
            if part.said is None:
                part.said = self._look_up(word, then)
            if part.said is None:
                part.said = yield from self._guess(part.text)
            return _following(then, word)
        # The longest ends that are words, from the last.
        left, right = 0, len(word)
        while left < right:
            said = self._look_up(word[left:right], then)
            if said is not None:
                _give(word[left:right], said)
                then = _following(then, word[left:right])
                left, right = 0, left
            elif left + 1 < right:
                left += 1
            elif SILENT.issuperset(word[left].text):
                word[left].said = ""
                left, right = 0, left
            else:
                _give(word, (yield from self._guess(_text(word))))
                return then
        _balance(word)
        return then

    def _look_up(self, parts: Sequence[Part], then: Following) -> str | None:
        """Phonemes of a word, or of the parts of one together."""
        first = parts[0]
        word = unicodedata.normalize("NFKC", _plain_quotes(first.alias or _text(parts)))
        word = "".join(map(_plain_digit, word))
        tag = max(parts, key=lambda part: sum(1 + (c != c.lower()) for c in part.text)).tag
        currency = max((part.currency or "" for part in parts), default="")
        stress = None if word == word.lower() else 2 if word == word.upper() else 0.5
        said = self._lexicon.say(word, tag, stress, then)
        if said is not None:
            return self._numbers.with_currency(said, currency)
        if self._numbers.accepts(word, first.is_head):
            return self._numbers.say(word, currency, first.is_head)
        return None

    def _guess(self, text: str) -> Work[str]:
        """Phonemes of what is no word: letters by the network, digits, and names of symbols."""
        found: list[str] = []
        for piece in _UNKNOWN.findall(text):
            if piece[0].isdigit():
                said = self._numbers.say(piece, None, False) or ""
            elif piece[0].isalpha():
                said = yield from self._unknown.say(piece)
            else:
                said = "".join(SYMBOLS.get(char, "") for char in piece)
            if said:
                found.append(said)
        return " ".join(found)


def _in_words(tokens: Sequence[Part]) -> list[list[Part]]:
    """Tokens in parts, and those parts together between which nothing stands."""
    words: list[list[Part]] = []
    is_open = False  # the last word may go on
    currency: str | None = None
    for index, token in enumerate(tokens):
        parts = [token]
        if token.said is None:
            parts = [Part(text, token.tag) for text in _PARTS.findall(token.text)]
            parts[-1].space = token.space
        is_last = index + 1 == len(tokens) or tokens[index + 1].tag != "CD"
        for place, part in enumerate(parts):
            if part.said is not None:
                pass
            elif part.tag == "$" and part.text in CURRENCIES:
                currency = part.text
                part.said = ""
            elif part.tag == ":" and part.text in ("-", "–"):
                part.said = "—"
            elif part.tag in MARK_TAGS and not (part.text.isascii() and part.text.isalpha()):
                kept = "".join(char for char in part.text if char in MARKS)
                part.said = MARKS_OF_TAGS.get(part.tag, kept)
            elif currency is not None:
                if part.tag != "CD":
                    currency = None
                elif part is parts[-1] and is_last:
                    part.currency = currency
            elif (
                part.text == "2"
                and 0 < place < len(parts) - 1
                and (parts[place - 1].text[-1] + parts[place + 1].text[0]).isalpha()
            ):
                part.alias = "to"  # B2B
            if part.said is not None or part.alias:
                words.append([part])
                is_open = False
            else:
                part.is_head = not is_open
                if not is_open or len(words[-1]) == MOST_PARTS:
                    words.append([])
                words[-1].append(part)
                is_open = not part.space
    return words


def _following(then: Following, word: Sequence[Part]) -> Following:
    """What is before this word has behind it."""
    vowel = then.vowel
    for phoneme in word[0].said or "":
        if phoneme in PAUSES:
            vowel = None
            break
        if phoneme in VOWELS or phoneme in CONSONANTS:
            vowel = phoneme in VOWELS
            break
    text = _text(word)
    is_to = text in ("to", "To") or (text == "TO" and word[0].tag in ("TO", "IN"))
    return Following(vowel, is_to)


def _balance(word: Sequence[Part]) -> None:
    """Say parts apart, or with fewer stresses."""
    text = _text(word)
    kinds = {
        "letter" if char.isalpha() else "digit" if is_digits(char) else "other"
        for char in text
        if char not in SILENT
    }
    if " " in text or "/" in text or len(kinds) > 1:
        for part in word[1:]:
            part.is_apart = True
        return
    heard = [
        (PRIMARY in part.said, weight(part.said), index)
        for index, part in enumerate(word)
        if part.said
    ]
    if len(heard) == 2 and len(word[heard[0][2]].text) == 1:
        lessened: Iterable[tuple[bool, int, int]] = heard[1:]
    elif len(heard) < 2 or sum(each[0] for each in heard) <= (len(heard) + 1) // 2:
        return
    else:
        lessened = sorted(heard)[: len(heard) // 2]
    for _, _, index in lessened:
        word[index].said = stressed(word[index].said or "", -0.5)


def _give(parts: Sequence[Part], said: str) -> None:
    for part in parts:
        part.said = ""
    parts[0].said = said


def _joined(word: Sequence[Part]) -> str:
    joined = ""
    for part in word:
        if part.is_apart and part.said and joined and not joined[-1].isspace():
            joined += " "
        joined += part.said or ""
    return joined


def _text(parts: Sequence[Part]) -> str:
    return "".join(part.text + part.space for part in parts[:-1]) + parts[-1].text


def _plain_quotes(text: str) -> str:
    return text.replace("‘", "'").replace("’", "'")


def _plain_digit(char: str) -> str:
    if not char.isdigit():
        return char
    value = unicodedata.numeric(char)
    return str(int(value)) if value == int(value) else char
