"""Numbers in words: the examples of num2words' documentation, and what is meant by them."""

from __future__ import annotations

import pytest

from remotemedia.nodes.models.english.number_words import (
    MOST_DIGITS,
    ONES,
    SCALES,
    TENS,
    cardinal,
    decimal,
    ordinal,
    year,
)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "zero"),
        (13, "thirteen"),
        (42, "forty-two"),
        (100, "one hundred"),
        (101, "one hundred and one"),
        (1000, "one thousand"),
        (1001, "one thousand and one"),
        (1234, "one thousand, two hundred and thirty-four"),
        (2_000_042, "two million and forty-two"),
        (10**9, "one billion"),
        (-5, "minus five"),
    ],
)
def test_cardinals(number: int, words: str) -> None:
    assert cardinal(number) == words


def value(words: str) -> int:
    """What the words mean, by reading them."""
    total = part = 0
    for word in words.replace(",", "").replace("-", " ").split():
        if word in ONES:
            part += ONES.index(word)
        elif word in TENS:
            part += 10 * TENS.index(word)
        elif word == "hundred":
            part *= 100
        elif word != "and":
            total, part = total + part * 1000 ** SCALES.index(word), 0
    return total + part


def test_cardinals_mean_what_they_say() -> None:
    largest = 10**MOST_DIGITS - 1
    for number in [*range(2000), *(7**n for n in range(43)), largest]:
        assert value(cardinal(number)) == number


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (1, "first"),
        (2, "second"),
        (3, "third"),
        (8, "eighth"),
        (9, "ninth"),
        (12, "twelfth"),
        (20, "twentieth"),
        (42, "forty-second"),
        (101, "one hundred and first"),
        (1000, "one thousandth"),
    ],
)
def test_ordinals(number: int, words: str) -> None:
    assert ordinal(number) == words


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (1905, "nineteen oh-five"),
        (1999, "nineteen ninety-nine"),
        (1900, "nineteen hundred"),
        (2000, "two thousand"),
        (2005, "two thousand and five"),
        (2010, "twenty ten"),
        (1066, "ten sixty-six"),
    ],
)
def test_years(number: int, words: str) -> None:
    assert year(number) == words


@pytest.mark.parametrize(
    ("number", "words"),
    [
        ("3.14", "three point one four"),
        ("3.10", "three point one"),
        ("5.", "five"),
        ("0.007", "zero point zero zero seven"),
    ],
)
def test_decimals(number: str, words: str) -> None:
    assert decimal(number) == words
