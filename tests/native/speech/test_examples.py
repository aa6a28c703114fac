"""The examples that speak and listen: what one says, the others hear."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from remotemedia.cli import main

pytest.importorskip("faster_whisper", reason="the extra 'asr' is not installed")

EXAMPLES = Path(__file__).parents[3] / "examples"
SAID = """\
What a long day this was.
Hey Jarvis!
Turn off the lights in the kitchen, please.
"""


def run(manifest: str, given: Path, **outputs: Path) -> None:
    """Of each port, by its name with ``__`` for the colon, into a file."""
    written = [f"-o{port.replace('__', ':')}={file}" for port, file in outputs.items()]
    assert main(["run", str(EXAMPLES / manifest), "-q", "-i", str(given), *written]) == 0


@pytest.fixture
def said(tmp_path: Path) -> Path:
    """What 04-speak makes of the text of its README."""
    text, audio = tmp_path / "said.txt", tmp_path / "said.wav"
    text.write_text(SAID)
    run("04-speak/speak.yaml", text, speaker=audio)
    return audio


def test_what_is_said_can_be_written_down(said: Path, tmp_path: Path) -> None:
    heard, captions = tmp_path / "heard.txt", tmp_path / "captions.srt"
    run("03-live-captions/captions.yaml", said, asr__text=heard)
    assert heard.read_text().replace("Jarvis.", "Jarvis!") == SAID
    assert (
        main(
            [
                *("run", str(EXAMPLES / "03-live-captions/captions.yaml"), "-q", "-i", str(said)),
                *("-o", f"captions={captions}", "--output-format", "text"),
            ]
        )
        == 0
    )
    assert captions.read_text().startswith("1\n00:00:00,")


def test_ears_hear_what_follows_their_name(said: Path, tmp_path: Path) -> None:
    heard, words = tmp_path / "heard.txt", tmp_path / "words.jsonl"
    run("02-voice-assistant-ears/ears.yaml", said, asr__text=heard, wake__words=words)
    assert heard.read_text() == SAID.splitlines()[-1] + "\n"
    (woken,) = map(json.loads, words.read_text().splitlines())
    assert woken["value"]["word"] == "hey_jarvis"
    # "Hey Jarvis!" is said from 2.0 to 3.5 s.
    assert 2_500_000 < woken["pts_us"] < 3_600_000
