"""The web app talks: it hears a word at the microphone and answers, all of it in the tab, network or not."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import native_run
import numpy as np
import pytest
from chromium import AUDIO, CHROMIUM, QUIET
from demo_page import REPOSITORY, SITE, Demo, running, web
from playwright.sync_api import BrowserContext, Playwright, Request, Route, expect

from remotemedia import Audio, Text
from remotemedia.wav import Encoding, WavDecoder, WavWriter

MANIFEST = REPOSITORY / "examples" / "01-speech-segments" / "pipeline.yaml"
SAYS = "Yes? I am listening."
RATE = 24_000
TO_NOWHERE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
"""Names of other hosts mean nothing to this browser, whoever in it asks."""


def said(text: str) -> np.ndarray:
    """What the voice makes of a text natively, mono."""
    voice = {"id": "voice", "node_type": "TextToSpeech", "params": {"whole_texts": True}}
    packets = native_run.run({"version": "v1", "nodes": [voice]}, [Text(text)])
    parts = [each.data.samples for each in packets if isinstance(each.data, Audio)]
    return np.concatenate(parts, axis=1)


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Somebody says the word, in a quiet room."""
    noise = np.random.default_rng(1).normal(0, 1e-3, (1, 12 * RATE)).astype(np.float32)
    word = said("Hey Jarvis!")
    noise[:, 2 * RATE : 2 * RATE + word.shape[1]] += word
    file = tmp_path_factory.mktemp("spoken") / "hey_jarvis.wav"
    with file.open("wb") as opened:
        writer = WavWriter(opened, RATE, 1, Encoding.PCM16)
        writer.write(noise)
        writer.finish()
    return file


@pytest.fixture
def context(playwright: Playwright, spoken: Path) -> Iterator[BrowserContext]:
    """Of a browser whose microphone hears that, once for each time that it is opened."""
    microphone = f"--use-file-for-fake-audio-capture={spoken}%noloop"
    browser = playwright.chromium.launch(
        executable_path=CHROMIUM, args=[*QUIET, *AUDIO, TO_NOWHERE, microphone]
    )
    made = browser.new_context(
        viewport={"width": 1440, "height": 1000}, permissions=["microphone"]
    )
    made.set_default_timeout(60_000)
    yield made
    browser.close()


def hear_and_answer(demo: Demo, folder: Path) -> None:
    """The word is heard, and the answer is what the voice says natively."""
    demo.part("input-select").select_option("microphone")
    expect(demo.part("speaker-toggle")).to_be_checked()
    demo.start()
    demo.wait("running")
    for model in demo.part("model").all():
        expect(model).to_have_attribute("data-backend", "onnxruntime-web")
        expect(model).to_have_attribute("data-provider", "wasm")
    talk = demo.part("talk")
    expect(talk.locator("[data-kind=said]")).to_have_count(2)
    expect(talk).to_contain_text("Said “I am listening.”")
    assert int(demo.part("ring-speaker").get_attribute("data-written") or 0) > RATE
    demo.photograph("voice")
    demo.part("finish").click()
    demo.wait("finished")

    wav = WavDecoder()
    content = demo.download("download-audio", folder).read_bytes()
    made = np.concatenate([*wav.feed(content), *wav.finish()], axis=1)
    expected = said(SAYS)
    assert made.shape == expected.shape
    # Measured: 3e-4 of a voice that reaches 0.5: onnxruntime and onnxruntime-web add in other orders.
    np.testing.assert_allclose(made, expected, rtol=0, atol=0.01)
    assert np.sqrt(np.mean(made**2)) > 0.02


def test_hears_a_word_and_answers_also_without_a_network(
    context: BrowserContext, tmp_path: Path
) -> None:
    asked: list[str] = []

    def note(request: Request) -> None:
        if urlsplit(request.url).scheme in ("http", "https", "ws", "wss"):
            asked.append(urlsplit(request.url).hostname or "")

    def refuse(route: Route) -> None:
        route.abort()

    context.on("request", note)
    context.route(lambda url: urlsplit(url).hostname != "127.0.0.1", refuse)
    demo = Demo(context.new_page())
    with running(*web(MANIFEST)) as address:
        demo.open(address, "?example=voice")
        expect(demo.part("offline")).to_have_text("Works offline")
        hear_and_answer(demo, tmp_path)

    # The server is gone.
    with pytest.raises(subprocess.SubprocessError):
        subprocess.run(["curl", "-sf", address], check=True, capture_output=True)
    demo.page.reload()
    demo.wait("loaded")
    expect(demo.part("link-kind")).to_have_attribute("data-link", "shared")
    hear_and_answer(demo, tmp_path)

    assert set(asked) == {"127.0.0.1"}
    assert SITE.is_dir()
