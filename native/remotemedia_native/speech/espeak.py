"""EspeakTTS: says text in over a hundred languages, by espeak-ng."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from remotemedia.data import Text
from remotemedia.errors import NodeError, ParamsError, UnavailableError
from remotemedia.node import OUTPUT, Context, Node, NodeParams, Output
from remotemedia.nodes.models.sentences import MARKS, Sentences

PROGRAM = "espeak-ng"
INSTALL = "install it: 'apt install espeak-ng', 'dnf install espeak-ng' or 'brew install espeak-ng'"
SAMPLE_RATE = 22_050  # Hz
TIMEOUT_S = 60  # of one sentence: it takes some 10 ms
HEADER = 44  # bytes of the WAV file that it writes; the sizes in it are unknown to it


class EspeakTTS(Node):
    """Says text by the program espeak-ng: robotic, but quick, small, and in many languages.

    Sentences, ports, marks (without ``phonemes``), time stamps, streams, ``end_of_turn``,
    `whole_texts` and interrupts are those of `TextToSpeech`. Audio is mono, 22.05 kHz.

    Natively only. The program is looked for in ``PATH`` when the node opens, and is started anew
    for each sentence; the text goes to its standard input, never to its command line.

    Latency: as `TextToSpeech`, and the start of a program.

    References
    ----------
    espeak-ng, https://github.com/espeak-ng/espeak-ng, GPL-3.0: a program of the host, no part of
    RemoteMedia.

    Examples
    --------
    ::

        - {id: voice, node_type: EspeakTTS, params: {voice: de, words_per_minute: 160}}
    """

    class Params(NodeParams, frozen=True):
        voice: Annotated[
            str,
            msgspec.Meta(
                pattern=r"^[A-Za-z][A-Za-z0-9_+-]*$",
                max_length=64,
                description="As 'espeak-ng --voices' lists them under Language.",
            ),
        ] = "en-us"
        words_per_minute: Annotated[
            int, msgspec.Meta(ge=80, le=450, description="How fast it speaks.")
        ] = 175
        pitch: Annotated[int, msgspec.Meta(ge=0, le=99, description="Of the voice.")] = 50
        whole_texts: Annotated[
            bool, msgspec.Meta(description="Each text is complete: none waits for the next.")
        ] = False

    input_caps = "text"
    output_caps: ClassVar[Mapping[str, str]] = {
        OUTPUT: f"audio(sample_rate={SAMPLE_RATE}, channels=1, format=F32)",
        MARKS: "json",
    }
    live_params = ("words_per_minute", "pitch")

    params: Params

    def __init__(self, params: NodeParams | None = None, **fields: object) -> None:
        super().__init__(params, **fields)
        self._sentences = Sentences(SAMPLE_RATE)
        self._program = PROGRAM
        self._node = ""

    def open(self, ctx: Context) -> None:
        """Find the program, and see whether it has the voice."""
        self._node = ctx.node
        found = shutil.which(PROGRAM)
        if found is None:
            raise UnavailableError(
                f"EspeakTTS needs the program {PROGRAM}, which is not in PATH: {INSTALL}; or use "
                "TextToSpeech, which needs none",
                node=ctx.node,
            )
        self._program = found
        done = self._run("", "-q")
        if done.returncode:
            raise ParamsError(
                f"EspeakTTS: {found} does not accept voice {self.params.voice!r}: {_said(done)}; "
                f"'{PROGRAM} --voices' lists those it has",
                node=ctx.node,
            )

    def process(self, data: Text) -> Iterator[Output]:
        """Say the sentences that the text completes."""
        for stream, sentence in self._sentences.add(data, self.params.whole_texts):
            yield from stream.say(sentence, self._speak(sentence.text))

    def finish(self) -> Iterator[Output]:
        """Say what is left."""
        for stream, sentence in self._sentences.finish():
            yield from stream.say(sentence, self._speak(sentence.text))

    def reset(self) -> None:
        """Forget the text that is held."""
        self._sentences.clear()

    def _speak(self, text: str) -> NDArray[np.float32]:
        done = self._run(text, "--stdout")
        wave = done.stdout
        if done.returncode or wave[:4] != b"RIFF" or len(wave) < HEADER:
            raise NodeError(
                f"EspeakTTS: {self._program} failed on {text[:80]!r}: {_said(done)}",
                node=self._node,
            )
        rate = int.from_bytes(wave[24:28], "little")
        if rate != SAMPLE_RATE:
            raise NodeError(
                f"EspeakTTS: voice {self.params.voice!r} speaks at {rate} Hz, not {SAMPLE_RATE}: "
                "it is none of espeak-ng's own; take another",
                node=self._node,
            )
        size = (len(wave) - HEADER) // 2
        return np.frombuffer(wave, "<i2", size, HEADER).astype(np.float32) / np.float32(32768)

    def _run(self, text: str, *options: str) -> subprocess.CompletedProcess[bytes]:
        params = self.params
        command = [self._program, "--stdin", "-b", "1", "-v", params.voice]
        command += ["-s", str(params.words_per_minute), "-p", str(params.pitch), *options]
        given = text.replace("\0", " ").encode()
        try:
            return subprocess.run(
                command, input=given, capture_output=True, timeout=TIMEOUT_S, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise NodeError(
                f"EspeakTTS: {self._program} cannot be run: {error}; {INSTALL}", node=self._node
            ) from error


def _said(done: subprocess.CompletedProcess[bytes]) -> str:
    said = done.stderr.decode(errors="replace").strip()
    return said or f"exit status {done.returncode}"
