"""EspeakTTS, with the program where it is installed, and what is said where it is not."""

from __future__ import annotations

import shutil
import subprocess
import wave
from pathlib import Path

import numpy as np
import pytest

from remotemedia.data import Audio, Json, Text
from remotemedia.errors import ParamsError, UnavailableError
from remotemedia.testing import Interrupt, run_node
from remotemedia_native.speech.espeak import EspeakTTS

installed = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="needs espeak-ng")


def test_without_the_program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnavailableError, match="apt install espeak-ng"):
        run_node(EspeakTTS, [Text("Hello.")])


def test_a_program_that_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "espeak-ng"
    program.write_text("#!/bin/sh\nread line\necho 'no such voice' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ParamsError, match="'en-us': no such voice; 'espeak-ng --voices'"):
        run_node(EspeakTTS, [Text("Hello.")])


@pytest.mark.parametrize("voice", ["--help", "-q", "en us", "../x", ""])
def test_a_voice_is_no_option(voice: str) -> None:
    with pytest.raises(ParamsError, match="voice"):
        EspeakTTS(voice=voice)


@installed
def test_the_samples_are_those_of_the_program(tmp_path: Path) -> None:
    sentences = ["Hello there, this is it.", "And this: the rest"]
    inputs = [Text(word + " ") for word in " ".join(sentences).split()]
    outputs = run_node(EspeakTTS, inputs, params={"words_per_minute": 200}).data
    marks = [each.value for each in outputs if isinstance(each, Json)]
    audio = [each for each in outputs if isinstance(each, Audio)]
    assert [mark["text"] for mark in marks] == sentences
    start = 0
    for sentence, mark, block in zip(sentences, marks, audio, strict=True):
        file = tmp_path / "expected.wav"
        command = ["espeak-ng", "-v", "en-us", "-s", "200", "-w", str(file), sentence]
        subprocess.run(command, check=True)
        with wave.open(str(file)) as opened:
            expected = np.frombuffer(opened.readframes(opened.getnframes()), np.int16) / 32768
            assert opened.getframerate() == block.sample_rate == 22050
        assert len(expected) > 10000
        np.testing.assert_array_equal(block.samples[0], expected.astype(np.float32))
        assert (mark["start_sample"], mark["end_sample"]) == (start, start + len(expected))
        start += len(expected)


@installed
def test_an_interrupt_drops_what_is_held() -> None:
    outputs = run_node(EspeakTTS, [Text("dropped"), Interrupt(), Text("Kept.")]).data
    assert [each.value["text"] for each in outputs if isinstance(each, Json)] == ["Kept."]


@installed
def test_odd_text() -> None:
    text = "-v de --help ; $(id) \x00 日本"
    mark, audio = run_node(EspeakTTS, [Text(text)]).data
    assert mark.value["text"] == text
    assert np.abs(audio.samples).max() > 0.1
    assert run_node(EspeakTTS, [Text(""), Text(" \n")]).data == []


@installed
def test_a_voice_that_there_is_not() -> None:
    with pytest.raises(ParamsError, match="does not accept voice 'zz-nope'"):
        run_node(EspeakTTS, [Text("Hello.")], params={"voice": "zz-nope"})
