"""Words and marks of a text, cut as spaCy cuts English."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

LETTER = r"[^\W\d_]"
LOWER, UPPER = "a-zß-öø-ÿ", "A-ZÀ-ÖØ-Þ"
QUOTES = "'\"”“`‘´’‚,„»«「」『』（）〔〕【】《》〈〉"
MARKS = "…,:;!?¿¡()[]{}<>_#*&。？！，、；：～·"
ICONS = "[™®©°§¶†‡•]"
CURRENCY = r"\$|£|€|¥|฿|US\$|C\$|A\$|₽|₹|₩|₪|₺|₴|₦|₫|₱|₲|₵|₸|₼|₾|₿"
UNITS = (
    "km|km²|km³|m|m²|m³|dm|dm²|dm³|cm|cm²|cm³|mm|mm²|mm³|ha|µm|nm|yd|in|ft|kg|g|mg|µg|t|lb|oz|m/s|"
    "km/h|kmh|mph|hPa|Pa|mbar|mb|MB|kb|KB|gb|GB|tb|TB|T|G|M|K|%"
)
LONGEST_SUFFIX = 8  # characters; of more points in a row, a part at a time

_BOTH = ["…", "……", *map(re.escape, MARKS), r"\.\.+", *map(re.escape, QUOTES)]
_PREFIX = re.compile("|".join(["§", "%", "=", "—", "–", r"\+(?![0-9])", *_BOTH, CURRENCY, ICONS]))
_SUFFIX = re.compile(
    "|".join(
        f"(?:{each})$"
        for each in [
            *_BOTH,
            *(ICONS, "'s", "'S", "’s", "’S", "—", "–", r"(?<=[0-9])\+", r"(?<=°[FfCcKk])\."),
            rf"(?<=[0-9])(?:{CURRENCY})",
            rf"(?<=[0-9])(?:{UNITS})",
            rf"(?<=[0-9{LOWER}%²\-\+{re.escape(MARKS)}{re.escape(QUOTES)}])\.",
            rf"(?<=[{UPPER}][{UPPER}])\.",
        ]
    )
)
_INFIX = re.compile(
    "|".join(
        [
            *(r"\.\.+", "…", ICONS, r"(?<=[0-9])[+\-\*^](?=[0-9-])"),
            rf"(?<=[{LOWER}{re.escape(QUOTES)}])\.(?=[{UPPER}{re.escape(QUOTES)}])",
            rf"(?<={LETTER}),(?={LETTER})",
            rf"(?<=[^\W_])(?:-|–|—|--|---|——|~)(?={LETTER})",
            rf"(?<=[^\W_])[:<>=/](?={LETTER})",
        ]
    )
)
_ADDRESS = re.compile(
    r"^(?:(?:https?|ftp)://|www\.)\S+$|^[\w.+-]+@[\w-]+(?:\.[\w-]+)+$"
    r"|^(?:[\w-]+\.)+(?:com|org|net|edu|gov|io|co|uk|de|fr|info|biz|us|ca|au|tv|me|ly|ai)(?:/\S*)?$",
    re.IGNORECASE,
)
_CHUNK = re.compile(r"\S+")


class Piece(NamedTuple):
    """A word or mark, and the space behind it: one or none."""

    text: str
    space: str


class Tokens:
    """Cuts a text into words and marks.

    What stands between white space is a special case (``don't``), or what is left of it once marks
    before and behind are taken off, cut at hyphens and strokes.

    Parameters
    ----------
    special : mapping of str to sequence of str
        The special cases, and what they are cut into; ``tokenizer_exceptions.json`` of the model.
    """

    def __init__(self, special: Mapping[str, Sequence[str]]) -> None:
        self._special = special

    def __call__(self, text: str) -> list[Piece]:
        """The pieces of a text."""
        found: list[Piece] = []
        for chunk in _CHUNK.finditer(text):
            *first, last = self._cut(chunk[0])
            found += (Piece(each, "") for each in first)
            found.append(Piece(last, " " if chunk.end() < len(text) else ""))
        return found

    def _cut(self, text: str) -> list[str]:
        special = self._special
        before: list[str] = []
        behind: list[str] = []
        while text and text not in special:
            prefix = _length(_PREFIX.match(text))
            rest = text[prefix:]
            if prefix and rest in special:
                before.append(text[:prefix])
                text = rest
                break
            suffix = _length(_SUFFIX.search(rest, max(0, len(rest) - LONGEST_SUFFIX)))
            if suffix and text[:-suffix] in special:
                behind.append(text[-suffix:])
                text = text[:-suffix]
                break
            if not (prefix or suffix):
                break
            if prefix:
                before.append(text[:prefix])
            if suffix:
                behind.append(text[-suffix:])
            text = text[prefix : len(text) - suffix]
        pieces = [*before, *self._inside(text), *reversed(behind)]
        return self._joined(pieces) if len(pieces) > 1 else pieces

    def _inside(self, text: str) -> list[str]:
        if text in self._special:
            return list(self._special[text])
        if not text or _ADDRESS.match(text):
            return [text] if text else []
        pieces: list[str] = []
        start = 0
        for infix in _INFIX.finditer(text):
            if infix.start():
                pieces += [text[start : infix.start()], infix[0]]
                start = infix.end()
        return [each for each in [*pieces, text[start:]] if each]

    def _joined(self, pieces: list[str]) -> list[str]:
        """With special cases that were cut put together: ``Sept`` and ``.``."""
        found: list[str] = []
        while pieces:
            for count in (3, 2):
                case = self._special.get("".join(pieces[:count]))
                if case is not None and len(pieces) >= count:
                    found += case
                    pieces = pieces[count:]
                    break
            else:
                found.append(pieces[0])
                pieces = pieces[1:]
        return found


def _length(match: re.Match[str] | None) -> int:
    return 0 if match is None else match.end() - match.start()
