"""SpokenText: times, dates, units and abbreviations in words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import msgspec

from remotemedia.nodes.models.english.number_words import cardinal, ordinal

NUMBER = r"\d+(?:,\d{3})*(?:\.\d+)?"
LARGE = r"(hundred|thousand|million|billion|trillion|[kKmMbB]\b)"
ROMAN = (  # in words that have other letters there is none: Step Into, Part Load
    r"((?=[IVXLC][IVXLCDM]*\b)M{0,3}(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3}))\b"
    r"(?![.'’]\w)"
)
ROMAN_DIGITS = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}
LARGE_LETTERS = {"k": "thousand", "m": "million", "b": "billion"}
FRACTIONS = "- - half third quarter fifth sixth seventh eighth ninth tenth".split()
DEGREES = {"C": " Celsius", "F": " Fahrenheit", None: ""}

_SPACE = re.compile(r"\s+")
_SPACE_BEFORE_MARK = re.compile(r" +([,.;:!?])")
_TIME = re.compile(r"\b(\d{1,2}):(\d{2})(?::(\d{2}))?(?:\s?([AaPp])\.?[Mm]\.?(?![A-Za-z]))?(?!\d)")
_DATE_US = re.compile(r"\b(\d{1,2})/(\d{1,2})/(\d{4}|\d{2})\b")
_DATE_ISO = re.compile(r"\b(\d{4})-(\d{2})-(\d{2})\b")
_DEGREE = re.compile(rf"(?<![\w.])(-?{NUMBER})\s?°\s?([CF])?(?![\w])")
_CENTS = re.compile(rf"(?<![\w.])({NUMBER})\s?¢")
_CURRENCY = re.compile(rf"(?<![\w])([¥₹₩]|Rs\.?|USD|EUR|GBP)\s?({NUMBER})(?:\s?{LARGE})?")
_MUCH_MONEY = re.compile(rf"([$£€])({NUMBER})\s?{LARGE}")
_NUMBER_SIGN = re.compile(r"\b(No|Nos)\. ?(?=\d)")
_HASH = re.compile(r"(?<![\w&])#(?=\d)")
_PHONE = re.compile(r"(?<![\w.\-])(?:\d{3}-)?\d{3}-\d{4}(?![\w.\-])")
_RANGE = re.compile(r"(?<![\w.\-])(\d{1,4})\s?[-–]\s?(\d{1,4})(?![\w.\-%])")
_FRACTION = re.compile(r"(?<![\w./])(\d{1,2})/(\d{1,2})(?![\w./])")
_PLUS = re.compile(r"(?<![\w+])\+(?=\d)")

Match = re.Match[str]


class SpokenWords(msgspec.Struct, frozen=True):
    """The tables; ``normalize.json`` of the model.

    Attributes
    ----------
    months : dict
        ``jan``: ``January``; in order.
    titles, abbreviations, symbols : dict
        What is written: what is said.
    units, currency : dict
        What is written: one, and several.
    roman_cardinal, roman_ordinal : list of str
        After which a Roman number is one (Chapter IV), and the how-manieth (Henry VIII).
    """

    months: dict[str, str]
    titles: dict[str, str]
    abbreviations: dict[str, str]
    units: dict[str, tuple[str, str]]
    symbols: dict[str, str]
    currency: dict[str, tuple[str, str]]
    roman_cardinal: list[str]
    roman_ordinal: list[str]


class SpokenText:
    """Writes out what the rules of pronouncing cannot read by themselves.

    Plain numbers stay, and amounts in $, £ and €: how these are read depends on the words around.

    Parameters
    ----------
    words : SpokenWords
    """

    def __init__(self, words: SpokenWords) -> None:
        self._words = words
        self._months = list(words.months.values())
        months = _any_of([*self._months, *map(str.capitalize, words.months), "Sept"])
        self._month_day = re.compile(
            rf"\b({months})\.? (\d{{1,2}})(?:st|nd|rd|th)?\b(?![\d:%])(,? \d{{4}}\b)?"
        )
        self._day_month = re.compile(rf"\b(?:the )?(\d{{1,2}}) (?:of )?({months})\b\.?")
        self._unit = re.compile(rf"(?<![\w.])(-?{NUMBER})\s?({_any_of(words.units)})(?![\w])")
        self._title = re.compile(rf"\b({_any_of(words.titles)})\.? (?=[A-Z])")
        self._abbreviation = re.compile(rf"(?<![\w.])({_any_of(words.abbreviations)})(?![\w])")
        self._roman_cardinal = re.compile(rf"\b({_any_of(words.roman_cardinal)}) {ROMAN}")
        self._roman_ordinal = re.compile(rf"\b({_any_of(words.roman_ordinal)}) {ROMAN}")
        self._symbols = [
            (re.compile(_around(symbol)), f" {word} " if word else " ")
            for symbol, word in words.symbols.items()
        ]

    def __call__(self, text: str) -> str:
        """The text as it is said."""
        text = _SPACE.sub(" ", text).strip()
        text = text.replace("’", "'").replace("‒", "-").replace("―", "—")
        words = self._words
        text = _TIME.sub(_time, text)
        text = _DATE_ISO.sub(lambda m: self._date(m, m[1], int(m[2]), int(m[3])), text)
        text = _DATE_US.sub(self._date_us, text)
        text = _MUCH_MONEY.sub(lambda m: self._money(m[1], m[2], m[3]), text)
        text = _CENTS.sub(lambda m: f"{m[1]} {_counted(m[1], words.currency['¢'])}", text)
        text = _CURRENCY.sub(lambda m: self._money(m[1].rstrip("."), m[2], m[3]), text)
        text = _DEGREE.sub(_degrees, text)
        text = self._unit.sub(lambda m: f"{m[1]} {_counted(m[1], words.units[m[2]])}", text)
        text = self._month_day.sub(self._say_month_day, text)
        text = self._day_month.sub(self._say_day_month, text)
        text = self._title.sub(lambda m: words.titles[m[1]] + " ", text)
        text = self._abbreviation.sub(self._written_out, text)
        text = _NUMBER_SIGN.sub(lambda m: "Number " if m[1] == "No" else "Numbers ", text)
        text = _HASH.sub("number ", text)
        text = self._roman_cardinal.sub(lambda m: f"{m[1]} {_roman(m[2])}", text)
        text = self._roman_ordinal.sub(lambda m: f"{m[1]} the {ordinal(_roman(m[2]))}", text)
        text = _PHONE.sub(lambda m: " ".join(m[0].replace("-", ", ")), text)
        text = _FRACTION.sub(self._fraction, text)
        text = _RANGE.sub(r"\1 to \2", text)
        text = _PLUS.sub("plus ", text)
        for pattern, word in self._symbols:
            text = pattern.sub(word, text)
        return _SPACE_BEFORE_MARK.sub(r"\1", _SPACE.sub(" ", text)).strip()

    def _date(self, match: Match, year: str, month: int, day: int) -> str:
        if not (1 <= month <= 12 and 1 <= day <= 31):
            return match[0]
        return f"{self._months[month - 1]} {ordinal(day)}" + (f", {year}" if year else "")

    def _date_us(self, match: Match) -> str:
        month, day, year = int(match[1]), int(match[2]), match[3]
        if len(year) == 2:
            year = ("19" if int(year) > 30 else "20") + year
        if month > 12:
            month, day = day, month
        return self._date(match, year, month, day)

    def _say_month_day(self, match: Match) -> str:
        day = int(match[2])
        if not 1 <= day <= 31:
            return match[0]
        return f"{self._month(match[1])} {ordinal(day)}{match[3] or ''}"

    def _say_day_month(self, match: Match) -> str:
        day = int(match[1])
        return f"the {ordinal(day)} of {self._month(match[2])}" if 1 <= day <= 31 else match[0]

    def _month(self, written: str) -> str:
        return self._words.months[written.lower()[:3]]

    def _money(self, sign: str, number: str, large: str | None) -> str:
        names = self._words.currency[sign]
        if large is None:
            return f"{number} {_counted(number, names)}"
        return f"{number} {LARGE_LETTERS.get(large.lower(), large)} {names[1]}"

    def _written_out(self, match: Match) -> str:
        ends = match.end() == len(match.string) and match[1].endswith(".")
        return self._words.abbreviations[match[1]] + ("." if ends else "")

    def _fraction(self, match: Match) -> str:
        above, below = int(match[1]), int(match[2])
        if 0 < above < below <= 10:
            if below == 2:
                return "one half"
            return f"{above} {FRACTIONS[below]}{'' if above == 1 else 's'}"
        if 1 <= above <= 12 and 1 <= below <= 31:
            return self._date(match, "", above, below)
        return f"{above} slash {below}"


def _any_of(words: Iterable[str]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


def _around(symbol: str) -> str:
    """Where a symbol is said; comparisons only between two things."""
    escaped = re.escape(symbol)
    return rf"(?<=\S) ?{escaped} ?(?=\S)" if symbol in "=<>~" else escaped


def _counted(number: str, names: Sequence[str]) -> str:
    return names[0] if number.replace(",", "") in ("1", "1.0", "-1") else names[1]


def _degrees(match: Match) -> str:
    return f"{match[1]} {_counted(match[1], ('degree', 'degrees'))}{DEGREES[match[2]]}"


def _time(match: Match) -> str:
    hour, minute, seconds = int(match[1]), int(match[2]), match[3]
    if hour > 24 or minute > 59 or int(seconds or 0) > 59:
        return match[0]
    words = cardinal(hour)
    if minute:
        words += (" oh " if minute < 10 else " ") + cardinal(minute)
    elif not (match[4] or seconds):
        words += " o'clock"
    if seconds:
        words += f" and {cardinal(int(seconds))} second{'' if int(seconds) == 1 else 's'}"
    if match[4]:  # with points, so that it is spelled
        ends = match.string[match.end() : match.end() + 1] == "."
        words += f" {match[4].upper()}.M{'' if ends else '.'}"
    return words


def _roman(written: str) -> int:
    values = [ROMAN_DIGITS[letter] for letter in written]
    return sum(
        -value if value < following else value
        for value, following in zip(values, [*values[1:], 0], strict=True)
    )
