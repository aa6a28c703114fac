"""Stress marks."""

from __future__ import annotations

import pytest

from remotemedia.nodes.models.english.stress import stressed, weight


@pytest.mark.parametrize(
    ("phonemes", "stress", "expected"),
    [
        ("wˈɔtəɹ", None, "wˈɔtəɹ"),
        ("bˌæɡɡˈAʤ", -2, "bæɡɡAʤ"),
        ("bˌæɡɡˈAʤ", -1, "bæɡɡˌAʤ"),
        ("wˈɔtəɹ", -0.5, "wˌɔtəɹ"),
        ("wˈɔtəɹ", 0, "wˌɔtəɹ"),
        ("wɔtəɹ", 0.5, "wˌɔtəɹ"),
        ("wɔtəɹ", 2, "wˈɔtəɹ"),
        ("wˌɔtəɹ", 1, "wˈɔtəɹ"),
        ("wˌɔtəɹ", 0.5, "wˌɔtəɹ"),
        ("pst", 2, "pst"),
        ("", 0, ""),
    ],
)
def test_stressed(phonemes: str, stress: float | None, expected: str) -> None:
    assert stressed(phonemes, stress) == expected


def test_diphthongs_weigh_twice() -> None:
    assert weight("kæt") == 3
    assert weight("kAt") == 4
