"""Stress of phonemes: marks in front of what is stressed."""

from __future__ import annotations

PRIMARY, SECONDARY = "ˈ", "ˌ"
VOWELS = frozenset("AIOQWYaiuæɑɒɔəɛɜɪʊʌᵻ")
CONSONANTS = frozenset("bdfhjklmnpstvwzðŋɡɹɾʃʒʤʧθ")
_LONG = frozenset("AIOQWYʤʧ")


def weight(phonemes: str) -> int:
    """How long it is: diphthongs and affricates count twice."""
    return sum(2 if phoneme in _LONG else 1 for phoneme in phonemes)


def stressed(phonemes: str, stress: float | None) -> str:
    """The phonemes, stressed so much more or less.

    Parameters
    ----------
    phonemes : str
    stress : float, optional
        Below -1 none is left; -1 and -0.5 lessen it; 0, 0.5 and 1 give a secondary one to what has
        none; 1 and more raise a secondary one to a primary one; 2 gives that to what has none.
    """
    if stress is None:
        return phonemes
    primary, secondary = PRIMARY in phonemes, SECONDARY in phonemes
    if stress < -1:
        return phonemes.replace(PRIMARY, "").replace(SECONDARY, "")
    if stress == -1 or (stress in (0, -0.5) and primary):
        return phonemes.replace(SECONDARY, "").replace(PRIMARY, SECONDARY)
    if not (primary or secondary):
        if stress in (0, 0.5, 1):
            return _before_vowel(SECONDARY, phonemes)
        return _before_vowel(PRIMARY, phonemes) if stress > 1 else phonemes
    if stress >= 1 and not primary:
        return phonemes.replace(SECONDARY, PRIMARY)
    return phonemes


def _before_vowel(mark: str, phonemes: str) -> str:
    for index, phoneme in enumerate(phonemes):
        if phoneme in VOWELS:
            return phonemes[:index] + mark + phonemes[index:]
    return phonemes
