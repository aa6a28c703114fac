"""The examples that speak and listen: what one says, the others hear."""

from __future__ import annotations

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
