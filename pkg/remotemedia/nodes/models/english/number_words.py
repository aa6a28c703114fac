"""Numbers in English words."""

from __future__ import annotations

ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen"
).split()
TENS = "- - twenty thirty forty fifty sixty seventy eighty ninety".split()
SCALES = (
    "- thousand million billion trillion quadrillion quintillion sextillion septillion octillion "
    "nonillion decillion"
).split()
ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
MOST_DIGITS = 3 * len(SCALES)
"""What has more has no name here, and is read digit by digit."""


def cardinal(number: int) -> str:
    """``one thousand, two hundred and thirty-four``; below 10 ** MOST_DIGITS."""
    if number < 0:
        return "minus " + cardinal(-number)
    groups: list[str] = []
    for scale in SCALES:
        number, part = divmod(number, 1000)
        if part or not (groups or number):
            groups.insert(0, _hundreds(part) + (f" {scale}" if scale != "-" else ""))
        if not number:
            break
    *first, last = groups
    if first and " " not in last.split(" and ")[-1] and "hundred" not in last:
        return f"{', '.join(first)} and {last}"  # one thousand and one
    return ", ".join(groups)


def _hundreds(number: int) -> str:
    words: list[str] = []
    if number >= 100:
        words += [ONES[number // 100], "hundred"]
        number %= 100
        if not number:
            return " ".join(words)
        words += ["and"]
    if number < 20:
        words += [ONES[number]]
    else:
        tens, ones = divmod(number, 10)
        words += [TENS[tens] + (f"-{ONES[ones]}" if ones else "")]
    return " ".join(words)


def ordinal(number: int) -> str:
    """``twenty-third``, ``one hundred and first``."""
    words = cardinal(number)
    start = max(words.rfind(" "), words.rfind("-")) + 1
    last = words[start:]
    if last in ORDINALS:
        return words[:start] + ORDINALS[last]
    return words[:-1] + "ieth" if last.endswith("y") else words + "th"


def year(number: int) -> str:
    """``nineteen oh-five``, ``two thousand and five``, ``twenty ten``; of four digits."""
    high, low = divmod(number, 100)
    if high == 0 or (high % 10 == 0 and low < 10):
        return cardinal(number)
    if low == 0:
        return cardinal(high) + " hundred"
    return f"{cardinal(high)} {'oh-' if low < 10 else ''}{cardinal(low)}"


def decimal(number: str) -> str:
    """``3.140``: ``three point one four``."""
    whole, _, fraction = number.partition(".")
    words = cardinal(int(whole or 0))
    if fraction := fraction.rstrip("0"):
        words += " point " + " ".join(ONES[int(digit)] for digit in fraction)
    return words
