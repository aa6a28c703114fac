"""What is written, and how it is said."""

from __future__ import annotations

import pytest

from remotemedia.nodes.models.english.spoken_text import SpokenText, SpokenWords

MONTHS = (
    "January February March April May June July August September October November December".split()
)
SPOKEN = SpokenText(
    SpokenWords(
        months={month[:3].lower(): month for month in MONTHS},
        titles={"Dr": "Doctor", "St": "Saint"},
        abbreviations={"approx.": "approximately", "etc.": "et cetera"},
        units={"km": ("kilometer", "kilometers"), "kg": ("kilogram", "kilograms")},
        symbols={"=": "equals", "_": ""},
        currency={
            "¥": ("yen", "yen"),
            "$": ("dollar", "dollars"),
            "¢": ("cent", "cents"),
            "EUR": ("euro", "euros"),
            "Rs": ("rupee", "rupees"),
        },
        roman_cardinal=["Chapter", "Part"],
        roman_ordinal=["Henry"],
    )
)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("", ""),
        ("  a \n b , c ", "a b, c"),
        ("at 7:30 pm", "at seven thirty P.M."),
        ("at 7:05.", "at seven oh five."),
        ("at 12:00", "at twelve o'clock"),
        ("in 1:02:01", "in one oh two and one second"),
        ("at 25:00", "at 25:00"),
        ("2024-03-05", "March fifth, 2024"),
        ("3/4/99", "March fourth, 1999"),
        ("13/4/2020", "April thirteenth, 2020"),
        ("2024-13-05", "2024-13-05"),
        ("Sept 3rd, 2024", "September third, 2024"),
        ("the 3 of March", "the third of March"),
        ("3 Mar.", "the third of March"),
        ("May 45", "May 45"),
        ("$3.5 million", "3.5 million dollars"),
        ("$9.99", "$9.99"),
        ("¥1 EUR 2.50 Rs. 7", "1 yen 2.50 euros 7 rupees"),
        ("1¢ and 5 ¢", "1 cent and 5 cents"),
        ("-3°C, 1 °F", "-3 degrees Celsius, 1 degree Fahrenheit"),
        ("1 km, 1,000kg", "1 kilometer, 1,000 kilograms"),
        ("Dr. Who and St Paul", "Doctor Who and Saint Paul"),
        ("approx. 5, etc.", "approximately 5, et cetera."),
        ("No. 7 and #5", "Number 7 and number 5"),
        ("Chapter XIV", "Chapter 14"),
        ("Henry VIII", "Henry the eighth"),
        ("Chapter Into, Part Load", "Chapter Into, Part Load"),
        ("555-1234", "5 5 5, 1 2 3 4"),
        ("1/2, 3/4, 20/7, 40/50", "one half, 3 quarters, 20 slash 7, 40 slash 50"),
        ("10-20 or 3–4", "10 to 20 or 3 to 4"),
        ("+5", "plus 5"),
        ("a=b = c_d =", "a equals b equals c d ="),
    ],
)
def test_what_is_said(written: str, said: str) -> None:
    assert SPOKEN(written) == said
