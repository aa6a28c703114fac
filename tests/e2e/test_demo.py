"""The web app, built, served by ``remotemedia web``, and used as a person would use it.

Its pictures are in build/screenshots afterwards, one for each state, for review.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chromium import AUDIO, CHROMIUM, QUIET
from demo_page import COMMAND, REPOSITORY, SITE, Demo, running, web
from playwright.sync_api import Browser, Playwright, expect
from test_hostile import CORPUS

from remotemedia.wav import WavDecoder
from worlds.tolerances import rows as tolerances

EXAMPLE = "01-speech-segments"
MANIFEST = REPOSITORY / "examples" / EXAMPLE / "pipeline.yaml"
RECORDING = "two_cities.wav"
DESKTOP = {"width": 1440, "height": 1000}
PHONE = {"width": 390, "height": 844}

OpenDemo = Callable[..., Demo]


@dataclass
class Native:
    """What the command line gives for the recording of the page."""

    printed: list[list[str]]
    """The columns of every segment: number, start, end, duration, LUFS, dBFS, SNR."""
    samples: np.ndarray
    packets: list[dict[str, Any]]

    @property
    def times(self) -> list[tuple[str, str]]:
        return [(row[1], row[2]) for row in self.printed]


@pytest.fixture(scope="module")
def native(folders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Native:
    folder = tmp_path_factory.mktemp("native")
    audio, packets = folder / "speech.wav", folder / "events.jsonl"
    run = [str(COMMAND), "run", str(MANIFEST), "-q", "-i", str(folders["/recordings/"] / RECORDING)]
    run += ["-o", str(audio), "--encoding", "float32"]
    printed = subprocess.run(run, check=True, capture_output=True, text=True).stdout
    subprocess.run([*run, "-o", str(packets)], check=True, capture_output=True)
    return Native(
        [line.split() for line in printed.splitlines()[1:]],
        samples(audio),
        [json.loads(line) for line in packets.read_text().splitlines()],
    )


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Of the app with the first example, from the real command."""
    assert (SITE / "index.html").is_file(), "build it first: scripts/build_web"
    with running(*web(MANIFEST)) as printed:
        yield printed


@pytest.fixture(scope="module")
def browser(playwright: Playwright, folders: dict[str, Path]) -> Iterator[Browser]:
    """Its microphone hears somebody read; sound needs a gesture, as for everybody."""
    speech = f"--use-file-for-fake-audio-capture={folders['/recordings/'] / RECORDING}"
    launched = playwright.chromium.launch(
        executable_path=CHROMIUM, headless=True, args=[*QUIET, *AUDIO, speech]
    )
    yield launched
    launched.close()


@pytest.fixture
def open_demo(browser: Browser) -> Iterator[OpenDemo]:
    """A tab for the app; at the end nothing may have gone wrong in it."""
    opened: list[Demo] = []

    def open_(expected: str | None = None) -> Demo:
        context = browser.new_context(viewport=DESKTOP, permissions=["microphone"])
        context.set_default_timeout(30_000)
        opened.append(Demo(context.new_page(), expected))
        return opened[-1]

    yield open_
    for demo in opened:
        demo.check()
        demo.page.context.close()


def samples(file: Path) -> np.ndarray:
    wav = WavDecoder()
    parts = [*wav.feed(file.read_bytes()), *wav.finish()]
    assert wav.info is not None
    assert wav.info.sample_rate == 16_000
    return np.concatenate(parts, axis=1)


def seconds(segments: list[tuple[int, int]]) -> list[tuple[str, str]]:
    """As the command line prints them."""
    return [(f"{start / 1e6:.3f}", f"{end / 1e6:.3f}") for start, end in segments]


def within(node: str, field: str, ours: Any, theirs: Any) -> bool:
    """Equal, or as near as the table of tolerances says."""
    if isinstance(ours, list):
        pairs = zip(ours, theirs, strict=True)
        return all(within(node, field, one, other) for one, other in pairs)
    if ours == theirs or not isinstance(ours, float):
        return bool(ours == theirs)
    allowed = [
        row.tolerance for row in tolerances() if row.covers(f"examples/{EXAMPLE}/{node}", field)
    ]
    return abs(ours - theirs) <= max(allowed, default=0.0)


# -- a recording -------------------------------------------------------------------------------------


def test_a_recording_gives_what_the_command_line_gives(
    address: str, open_demo: OpenDemo, native: Native, tmp_path: Path
) -> None:
    demo = open_demo()
    demo.page.goto(address, wait_until="commit")
    demo.page.locator("[data-testid=progress][data-phase=download]").wait_for()
    demo.photograph("loading")
    demo.wait("loaded")
    demo.photograph("ready")
    expect(demo.part("link-kind")).to_have_attribute("data-link", "shared")

    demo.run_clip(EXAMPLE)
    expect(demo.part("segment")).to_have_count(15)
    assert seconds(demo.segments()) == native.times
    shown = [[cell.removesuffix(" s").replace("−", "-") for cell in row] for row in demo.rows()]
    assert [row[4:] for row in shown] == [row[4:] for row in native.printed]
    expect(demo.page.get_by_role("img", name="Output, waveform")).to_be_visible()
    demo.photograph("done")

    made = samples(demo.download("download-audio", tmp_path))
    assert made.shape == native.samples.shape
    assert np.abs(made).max() > 0.1
    (allowed,) = [
        row.tolerance for row in tolerances() if row.covers(f"examples/{EXAMPLE}/vad", "samples")
    ]
    assert np.abs(made - native.samples).max() <= allowed

    lines = demo.download("download-packets", tmp_path).read_text().splitlines()
    packets = [json.loads(line) for line in lines]
    assert f"{len(packets):,} packets" in demo.page.get_by_role("main").inner_text()
    found = {key(packet): packet["data"] for packet in packets if packet["data"]["type"] == "json"}
    assert len(found) == len(native.packets) == 45
    for packet in native.packets:
        ours, theirs = packet["value"], found[key(packet)]["value"]
        assert found[key(packet)]["ptsUs"] == packet["pts_us"]
        assert list(ours) == list(theirs)
        for name in ours:
            assert within(packet["node"], name, ours[name], theirs[name]), (packet["node"], name)

    in_other_shapes(demo)


def key(packet: dict[str, Any]) -> tuple[str, str, int, int]:
    within_item = packet.get("sub_sequence", packet.get("subSequence"))
    return packet["node"], packet["port"], packet["sequence"], within_item


def in_other_shapes(demo: Demo) -> None:
    """On a phone nothing is wider than the screen; in the dark everything is drawn again."""
    page = demo.page
    page.emulate_media(color_scheme="dark")
    demo.photograph("done-dark")
    page.set_viewport_size(PHONE)
    page.evaluate("scrollTo(0, 0)")
    demo.photograph("phone-dark", whole=False)
    page.emulate_media(color_scheme="light")
    for part in ("graph", "editor", "scope-out", "segments", "latency-table", "events"):
        demo.part(part).scroll_into_view_if_needed()
        demo.photograph(f"phone-{part}", whole=False)
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_without_shared_memory_it_says_so_and_gives_the_same(
    address: str, open_demo: OpenDemo, native: Native
) -> None:
    demo = open_demo()
    demo.open(address, "?link=transferred")
    expect(demo.part("link-kind")).to_have_attribute("data-link", "transferred")
    expect(demo.part("link-kind")).to_contain_text("Transferred buffers")
    demo.run_clip(EXAMPLE)
    expect(demo.part("segment")).to_have_count(15)
    assert seconds(demo.segments()) == native.times
    demo.photograph("transferred")


def test_with_the_keyboard_alone(address: str, open_demo: OpenDemo, native: Native) -> None:
    demo = open_demo()
    demo.open(address)
    keyboard, focused = demo.page.keyboard, demo.page.locator(":focus")

    def tab_to(name: str, most: int = 40) -> None:
        for _ in range(most):
            keyboard.press("Tab")
            if focused.get_attribute("data-testid") == name:
                return
        raise AssertionError(f"Tab does not lead to {name}")

    keyboard.press("Tab")
    expect(focused).to_have_text("Skip to the pipeline")
    expect(focused).to_be_in_viewport()
    tab_to("start", 2)
    keyboard.press("Enter")
    demo.wait("finished")
    expect(demo.part("segment")).to_have_count(15)
    assert seconds(demo.segments()) == native.times

    # What the graph is made of, and back to where it was asked for.
    demo.page.get_by_role("button", name="vad EnergyVAD").focus()
    keyboard.press("Enter")
    dialog = demo.page.get_by_role("dialog")
    expect(dialog).to_contain_text("EnergyVAD")
    demo.photograph("node")
    keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(focused).to_have_attribute("aria-label", re.compile("^vad EnergyVAD"))

    # Along the segments by arrow keys.
    tab_to("segment")
    keyboard.press("ArrowRight")
    keyboard.press("ArrowRight")
    keyboard.press("Enter")
    expect(demo.part("segment-details")).to_contain_text("4.96 s to 6.32 s")
    demo.photograph("segment")
    keyboard.press("Escape")
    expect(demo.part("segment-details")).to_be_hidden()


# -- a microphone ------------------------------------------------------------------------------------


def test_a_microphone_and_the_speaker(address: str, open_demo: OpenDemo, native: Native) -> None:
    demo = open_demo()
    demo.open(address)
    demo.choose(EXAMPLE, "microphone")
    demo.part("speaker-toggle").check()
    demo.start()
    demo.wait("running")
    expect(demo.part("segment").first).to_be_visible()
    microphone, speaker = demo.part("ring-microphone"), demo.part("ring-speaker")
    for ring in (microphone, speaker):
        expect(ring).to_be_visible()
        expect(ring).to_have_attribute("data-overrun", "0")
        assert int(ring.get_attribute("data-written") or 0) > 16_000
    demo.photograph("running")
    demo.page.emulate_media(color_scheme="dark")
    expect(demo.part("segment")).to_have_count(2)
    demo.photograph("running-dark")
    demo.part("stop").click()
    demo.wait("stopped")
    expect(demo.part("start")).to_be_enabled()
    # Again, and to an end that lets out what is under way.
    demo.start()
    demo.wait("running")
    expect(microphone).to_be_visible()
    demo.part("finish").click()
    demo.wait("finished")
    assert len(demo.page.workers) == 1


# -- what is wrong -----------------------------------------------------------------------------------

BROKEN = """version: v1
nodes:
  - {id: a, node_type: Gian}
  - {id: b, node_type: Gain, params: {gain: 1}}
"""


def test_what_is_wrong_is_told_at_its_place(address: str, open_demo: OpenDemo) -> None:
    demo = open_demo()
    demo.open(address)
    good = demo.part("editor").input_value()
    demo.write(BROKEN)
    problems = demo.part("problems").get_by_role("listitem")
    expect(problems).to_have_count(2)
    expect(problems.nth(0)).to_contain_text(re.compile(r"^3:24 .*did you mean 'Gain'"))
    expect(problems.nth(1)).to_contain_text(re.compile(r"^4:39 "))
    expect(demo.part("editor")).to_have_attribute("aria-invalid", "true")
    demo.photograph("problems")
    problems.nth(1).get_by_role("button").click()
    expect(demo.part("editor")).to_be_focused()
    place = demo.part("editor").evaluate("(area) => area.selectionStart")
    assert place == len("".join(BROKEN.splitlines(keepends=True)[:3])) + 38
    demo.write("nodes: [")
    expect(problems).to_have_count(1)
    expect(problems).to_contain_text(re.compile(r"^\d+:\d+ "))
    demo.write(good)
    expect(problems).to_have_count(0)
    demo.wait("loaded")


FAILING = '''import remotemedia as rm


@rm.node("Robot")
class Robot(rm.Node):
    """Fails on every tenth block."""

    class Params(rm.Params, frozen=True):
        carrier_hz: float = 70.0

    input_caps = "audio(format=F32)"
    output_caps = "audio(format=F32)"
    capabilities = "passthrough"

    def open(self, ctx: rm.Context) -> None:
        self.count = 0

    def process(self, audio: rm.Audio) -> rm.Audio:
        self.count += 1
        if self.count % 10 == 0:
            raise ValueError("the robot has a cold")
        return audio
'''


def test_a_node_that_fails_is_shown_and_the_rest_goes_on(address: str, open_demo: OpenDemo) -> None:
    demo = open_demo("^node 'robot' .*the first such event")
    demo.open(address)
    demo.choose("your-own-node", "clip")
    demo.write_source(FAILING)
    demo.wait("loaded")
    demo.start()
    demo.wait("finished")
    errors = demo.part("events").locator("li[data-kind=error]")
    expect(errors).to_have_count(1)
    expect(errors).to_contain_text("the robot has a cold")
    expect(errors).to_contain_text("× 221")  # of 2,219 blocks
    errors.get_by_text("Traceback", exact=True).click()
    expect(errors).to_contain_text('raise ValueError("the robot has a cold")')
    expect(demo.part("graph-node")).to_contain_text("99+ ✕")
    demo.photograph("error")


def test_text_of_strangers_stays_text(address: str, open_demo: OpenDemo) -> None:
    demo = open_demo("^node 'stranger' .*the first such event")
    demo.open(address)
    # Refused: what is wrong is quoted.
    nodes = [{"id": text, "node_type": text, "params": {text: text}} for text in CORPUS]
    demo.write(json.dumps({"version": "v1", "nodes": nodes, "connections": []}, indent=1))
    problems = demo.part("problems")
    expect(problems.get_by_role("listitem").nth(len(CORPUS) - 1)).to_be_visible()
    for text in CORPUS[:3]:
        expect(problems).to_contain_text(text)
    demo.photograph("strangers-refused")

    # Accepted: names, descriptions, parameters, what nodes say of themselves, give out and raise.
    everything = " ".join(CORPUS)
    source = f"""import remotemedia as rm

TEXT = {everything!r}


class Stranger(rm.Node):
    class Params(rm.Params, frozen=True):
        text: str = ""

    input_caps = "audio"
    output_caps = "text"
    count = 0

    def process(self, audio: rm.Audio):
        self.count += 1
        if self.count % 100 == 1:
            raise ValueError(TEXT)
        return rm.Text(TEXT) if self.count % 100 == 2 else None


Stranger.__doc__ = TEXT
rm.node("Stranger")(Stranger)
"""
    node = {"id": "stranger", "node_type": "Stranger", "params": {"text": everything}}
    metadata = {"name": everything, "description": everything}
    demo.write(json.dumps({"version": "v1", "metadata": metadata, "nodes": [node]}, indent=1))
    demo.write_source(source)
    expect(demo.page.get_by_role("heading", name="window.pwned").first).to_be_visible()
    demo.part("input-select").select_option("clip")
    demo.start()
    demo.wait("finished")
    for part in ("notes", "events"):
        expect(demo.part(part)).to_contain_text(CORPUS[1])
    demo.page.get_by_role("button", name="stranger Stranger").click()
    dialog = demo.page.get_by_role("dialog")
    expect(dialog).to_contain_text(CORPUS[0])
    expect(dialog).to_contain_text(json.dumps(CORPUS[2])[1:-1])
    demo.photograph("strangers")
    for name in ("window.pwned", "document.querySelector('main iframe, main script')"):
        assert demo.page.evaluate(name) is None


# -- how it is built and served ----------------------------------------------------------------------


def test_strict_mode_leaves_one_worker(open_demo: OpenDemo, tmp_path: Path) -> None:
    """React mounts twice only when it is built for development, so it is built once more."""
    app = REPOSITORY / "web-demo"
    site = tmp_path / "site"
    vite = ["npx", "vite", "build", "--mode", "development", "--outDir", str(site)]
    quiet = ["--emptyOutDir", "--logLevel", "error"]
    development = {**os.environ, "NODE_ENV": "development"}
    subprocess.run([*vite, *quiet], check=True, cwd=app, env=development)
    for folder in ("pyodide", "onnx", "models"):
        shutil.copytree(SITE / folder, site / folder)
    for file in ("clip.wav", "service-worker.js"):
        shutil.copy(SITE / file, site)
    with running("env", f"REMOTEMEDIA_WEB_SITE={site}", *web(MANIFEST)) as served:
        demo = open_demo()
        started: list[str] = []
        demo.page.on("worker", lambda worker: started.append(worker.url))
        demo.open(served)
        assert "StrictMode" in max(site.glob("assets/index-*.js"), key=os.path.getsize).read_text()
        assert len(demo.page.workers) == 1
        assert len(started) == 1
        demo.run_clip(EXAMPLE)
        expect(demo.part("segment")).to_have_count(15)
        assert len(demo.page.workers) == 1


def test_an_export_works_on_any_server(open_demo: OpenDemo, native: Native, tmp_path: Path) -> None:
    folder = tmp_path / "exported"
    subprocess.run(
        [COMMAND, "web", MANIFEST, "--export", folder], check=True, stdout=subprocess.DEVNULL
    )
    plain = (sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1")
    with running(*plain, "--directory", folder) as served:
        demo = open_demo()
        demo.open(served)
        # The service worker has brought what that server does not send.
        assert demo.page.evaluate("crossOriginIsolated")
        expect(demo.part("link-kind")).to_have_attribute("data-link", "shared")
        expect(demo.part("editor")).to_have_value(re.compile("speech-segments"))
        demo.start()
        demo.wait("finished")
        expect(demo.part("segment")).to_have_count(15)
        assert seconds(demo.segments()) == native.times
