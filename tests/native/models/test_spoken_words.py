"""The words that WakeWord hears, and what it takes for none."""

from __future__ import annotations

import shutil
import subprocess
import wave
from pathlib import Path

import numpy as np
import pytest

from remotemedia.data import Audio
from wake_words import ALL, NAMES, RATE, at_16k, joined, run, say, silence, words_of


def with_noise(samples: np.ndarray, snr_db: float | None, seed: int) -> np.ndarray:
    """White noise below the speech, which has silence around it."""
    speech = samples[samples != 0]
    if snr_db is None:
        return samples
    noise = np.random.default_rng(seed).standard_normal(len(samples))
    noise *= np.sqrt((speech**2).mean()) / 10 ** (snr_db / 20)
    mixed = samples + noise
    return (mixed * min(1, 0.9 / np.abs(mixed).max())).astype(np.float32)


@pytest.mark.parametrize("snr_db", [None, 20, 10])
@pytest.mark.parametrize("word", NAMES)
def test_no_word_is_missed(word: str, snr_db: float | None) -> None:
    name = NAMES[word]
    for text in (f"{name}!", f"{name}, what time is it?", f"Well, {name}, play some music."):
        for speed in (0.8, 1.0, 1.25):
            samples = joined(silence(1), say(text, speed), silence(1))
            samples = with_noise(samples, snr_db, seed=len(text))
            events = words_of(run([Audio(samples, RATE)], words=list(NAMES)))
            assert [each["word"] for each in events] == [word], (text, speed)


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="needs espeak-ng")
@pytest.mark.parametrize("voice", ["en-us", "en-gb", "en-us+f3"])
def test_nor_by_another_voice(voice: str, tmp_path: Path) -> None:
    file = tmp_path / "said.wav"
    command = ["espeak-ng", "-v", voice, "-s", "150", "-w", str(file), "Hey Jarvis!"]
    subprocess.run(command, check=True)
    with wave.open(str(file)) as opened_file:
        data = np.frombuffer(opened_file.readframes(opened_file.getnframes()), np.int16)
        spoken = at_16k((data / 32768).astype(np.float32), opened_file.getframerate())
    events = words_of(run([Audio(joined(silence(1), spoken, silence(1)), RATE)], words=list(NAMES)))
    assert [each["word"] for each in events] == ["hey_jarvis"]


def test_reading_has_no_word(recordings: Path) -> None:
    for name in ("two_cities", "beckett", "endgame_nagg_nell"):
        with wave.open(str(recordings / f"{name}.wav")) as file:
            assert file.getnchannels() == 1
            data = np.frombuffer(file.readframes(file.getnframes()), np.int16)
            samples = at_16k((data / 32768).astype(np.float32), file.getframerate())
        assert run([Audio(samples, RATE)], words=list(ALL)) == []


@pytest.mark.parametrize(
    "text",
    [
        "Hey Jason, how are you?",
        "The harvest was good this year.",
        "Harvest!",
        "Hey Charles, come here.",
        "Hey Marvin.",
        "Hey Ashley.",
        "Jarvis Cocker sang a song.",
        "Mycroft Holmes was his brother.",
        "I like Texas.",
        "Hello there, nice to meet you.",
        "It was the best of times, it was the worst of times.",
        "Please call Stella and ask her to bring these things.",
    ],
)
def test_nor_have_words_that_are_like_one(text: str) -> None:
    for speed in (1.0, 1.25):
        samples = joined(silence(1), say(text, speed), silence(1))
        assert run([Audio(samples, RATE)], words=list(NAMES)) == []


def test_nor_has_noise() -> None:
    draw = np.random.default_rng(1)
    noise = (0.3 * draw.standard_normal(RATE * 10)).astype(np.float32)
    tone = np.sin(np.arange(RATE * 5) * 2 * np.pi * 440 / RATE).astype(np.float32)
    for samples in (noise, tone, silence(10)):
        assert run([Audio(samples, RATE)], words=list(NAMES)) == []
