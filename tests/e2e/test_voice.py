"""The web app talks: it hears its name and answers, all of it in the tab, with a network or without."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import native_run
import numpy as np
import pytest
from chromium import AUDIO, CHROMIUM, QUIET
from demo_page import COMMAND, REPOSITORY, Demo, running, web
from numpy.typing import NDArray
from playwright.sync_api import BrowserContext, Playwright, Request, Route, expect

from remotemedia import Audio, Packet, Text
from remotemedia.wav import Encoding, WavDecoder, WavWriter

MANIFEST = REPOSITORY / "examples" / "01-speech-segments" / "pipeline.yaml"
DESKTOP = {"width": 1440, "height": 1000}
PHONE = {"width": 390, "height": 844}
ANSWER = "Yes? I am listening."
RATE = 24_000
TO_NOWHERE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
"""Names of other hosts mean nothing to this browser, whoever in it asks."""


def run(node: dict[str, object], *inputs: Text | Audio) -> list[Packet]:
    return native_run.run({"version": "v1", "nodes": [node]}, inputs)


def voice(text: str) -> NDArray[np.float32]:
    """What the voice makes of a text natively."""
    node = {"id": "voice", "node_type": "TextToSpeech", "params": {"whole_texts": True}}
    parts = [each.data.samples for each in run(node, Text(text)) if isinstance(each.data, Audio)]
    return np.concatenate(parts, axis=1)


def read(samples: NDArray[np.float32]) -> str:
    """What a recogniser understands."""
    to16k = {"id": "to16k", "node_type": "AudioResample", "params": {"target_rate": 16_000}}
    parts = [each.data.samples for each in run(to16k, Audio(samples, RATE))]  # type: ignore[union-attr]
    heard = run(
        {"id": "asr", "node_type": "SpeechToText", "params": {"language": "en"}},
        Audio(np.concatenate(parts, axis=1), 16_000),
    )
    return " ".join(each.data.text for each in heard if isinstance(each.data, Text))


def words(text: str) -> list[str]:
    return re.findall("[a-z]+", text.lower())


@pytest.fixture(scope="module")
def call(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording of twelve seconds in a quiet room: after two of them somebody says the name."""
    room = np.random.default_rng(1).normal(0, 1e-3, (1, 12 * RATE)).astype(np.float32)
    name = voice("Hey Jarvis!")
    room[:, 2 * RATE : 2 * RATE + name.shape[1]] += name
    file = tmp_path_factory.mktemp("call") / "hey_jarvis.wav"
    with file.open("wb") as opened:
        writer = WavWriter(opened, RATE, 1, Encoding.PCM16)
        writer.write(room)
        writer.finish()
    return file


@pytest.fixture
def context(playwright: Playwright, call: Path) -> Iterator[BrowserContext]:
    """Of a browser whose microphone hears that, each time that it is opened.

    Whatever it asks other hosts for is refused; at the end it must have asked for nothing.
    """
    browser = playwright.chromium.launch(
        executable_path=CHROMIUM,
        args=[*QUIET, *AUDIO, TO_NOWHERE, f"--use-file-for-fake-audio-capture={call}%noloop"],
    )
    made = browser.new_context(viewport=DESKTOP, permissions=["microphone"])
    made.set_default_timeout(60_000)
    foreign: list[str] = []
    own = 0

    def note(request: Request) -> None:
        nonlocal own
        if urlsplit(request.url).hostname == "127.0.0.1":
            own += 1
        elif urlsplit(request.url).scheme not in ("blob", "data"):
            foreign.append(request.url)

    def refuse(route: Route) -> None:
        route.abort()

    made.on("request", note)
    made.route(lambda url: urlsplit(url).hostname != "127.0.0.1", refuse)
    yield made
    browser.close()
    assert own > 20  # requests are seen
    assert foreign == []


@contextmanager
def gone(address: str) -> Iterator[None]:
    """Nobody answers there any more."""
    parts = urlsplit(address)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((parts.hostname, parts.port), 5)
    yield


def call_and_be_answered(demo: Demo, name: str, folder: Path) -> None:
    expect(demo.part("input-select")).to_have_value("microphone")
    expect(demo.part("speaker-toggle")).to_be_checked()
    demo.start()
    demo.wait("running")
    models = demo.part("model")
    expect(models).to_have_count(4)
    for model in models.all():
        expect(model).to_have_attribute("data-backend", "onnxruntime-web")
        expect(model).to_have_attribute("data-provider", "wasm")
    talk = demo.part("talk")
    word = talk.locator("[data-kind=word]")
    expect(word).to_contain_text("Heard “hey jarvis”")
    assert float(word.get_attribute("data-score") or 0) > 0.5
    # It is said from 2 s on, and its end is known within 1.5 s.
    assert 2e6 < int(word.get_attribute("data-us") or 0) < 4.5e6
    for kind, count in (("start", 1), ("end", 1), ("said", 2)):
        expect(talk.locator(f"[data-kind={kind}]")).to_have_count(count)
    expect(talk).to_contain_text("Said “I am listening.”")
    demo.photograph(name)
    demo.page.set_viewport_size(PHONE)
    demo.photograph(f"{name}-phone", whole=False)
    assert demo.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    demo.page.set_viewport_size(DESKTOP)
    demo.part("finish").click()
    demo.wait("finished")
    expect(word).to_have_count(1)

    wav = WavDecoder()
    content = demo.download("download-audio", folder).read_bytes()
    made = np.concatenate([*wav.feed(content), *wav.finish()], axis=1)
    assert wav.info is not None
    assert wav.info.sample_rate == RATE
    ours = voice(ANSWER)
    assert made.shape == ours.shape
    loudness = [float(np.sqrt(np.mean(each**2))) for each in (made, ours)]
    assert loudness[0] > 0.03
    assert loudness[0] == pytest.approx(loudness[1], rel=0.02)
    assert words(read(made)) == words(ANSWER)


@pytest.mark.timeout(180)  # two calls of 12 s, each with its boot
def test_it_hears_its_name_and_answers_also_without_a_network(
    context: BrowserContext, call: Path, tmp_path: Path
) -> None:
    demo = Demo(context.new_page())
    with running(*web(MANIFEST)) as address:
        demo.open(address, "?example=voice")
        expect(demo.part("offline")).to_have_text("Works offline")
        call_and_be_answered(demo, "voice", tmp_path)
    with gone(address):
        demo.page.reload()
        demo.wait("loaded")
        expect(demo.part("link-kind")).to_have_attribute("data-link", "shared")
        call_and_be_answered(demo, "voice-offline", tmp_path)
        # The same with a recording, faster than it was spoken.
        demo.part("input-select").select_option("file")
        demo.part("file-input").set_input_files(call)
        demo.part("speaker-toggle").uncheck()
        demo.start()
        demo.wait("finished")
        expect(demo.part("talk").locator("[data-kind=word]")).to_have_count(1)
        expect(demo.part("talk").locator("[data-kind=said]")).to_have_count(2)
    demo.check()


def test_an_export_works_without_its_server(context: BrowserContext, tmp_path: Path) -> None:
    """The same where the service worker has to bring shared memory, too."""
    folder = tmp_path / "exported"
    export = [COMMAND, "web", MANIFEST, "--export", folder]
    subprocess.run(export, check=True, stdout=subprocess.DEVNULL)
    plain = (sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1")
    demo = Demo(context.new_page())
    with running(*plain, "--directory", folder) as address:
        demo.open(address)
        expect(demo.part("offline")).to_have_text("Works offline")
        # Past the worker, as by Shift and Reload: it takes the page back.
        demo.page.context.new_cdp_session(demo.page).send("Page.reload", {"ignoreCache": True})
        expect(demo.part("offline")).to_have_text("Works offline")
        demo.wait("loaded")
    with gone(address):
        demo.page.goto(f"{address}?example=your-own-node")  # another query is the same page
        demo.wait("loaded")
        expect(demo.part("example-select")).to_have_value("your-own-node")
        expect(demo.part("link-kind")).to_have_attribute("data-link", "shared")
        demo.choose("01-speech-segments", "clip")
        demo.start()
        demo.wait("finished")
        expect(demo.part("segment")).to_have_count(15)
    demo.check()
