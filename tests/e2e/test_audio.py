"""Real audio through Python in a worker: captured, processed, played."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chromium import AUDIO, AUTOPLAY, CHROMIUM, QUIET
from e2e_site import Site
from native_run import frames, run
from playwright.sync_api import Browser, Page, Playwright

from remotemedia.wav import WavDecoder
from worlds.tolerances import rows

Open = Callable[..., Page]

(RESAMPLE,) = [row.tolerance for row in rows() if row.covers("AudioResample", "samples")]
LINKS = ["", "?link=transferred"]


@pytest.fixture(scope="module")
def talking(playwright: Playwright, folders: dict[str, Path]) -> Iterator[Browser]:
    """A browser whose microphone hears somebody read."""
    speech = folders["/recordings/"] / "two_cities.wav"
    browser = playwright.chromium.launch(
        executable_path=CHROMIUM,
        args=[*QUIET, *AUDIO, AUTOPLAY, f"--use-file-for-fake-audio-capture={speech}"],
    )
    yield browser
    browser.close()


def samples(content: list[int] | bytes) -> tuple[np.ndarray, int]:
    wav = WavDecoder()
    parts = [*wav.feed(bytes(content)), *wav.finish()]
    assert wav.info is not None
    return np.concatenate(parts, axis=1), wav.info.sample_rate


def post(site: Site, name: str) -> tuple[np.ndarray, int]:
    return samples(site.posted[name])


PROCESS = {
    "version": "v1",
    "nodes": [
        {"id": "in", "node_type": "PassThrough", "is_output_node": True},
        {"id": "louder", "node_type": "Gain", "params": {"gain_db": 6}},
        {"id": "to16k", "node_type": "AudioResample", "params": {"target_rate": 16000}},
    ],
    "connections": [{"from": "in", "to": "louder"}, {"from": "louder", "to": "to16k"}],
}

RECORD = """async ([manifest, rate, seconds]) => {
    const options = rate ? { audioContext: new AudioContext({ sampleRate: rate }) } : {};
    const pipeline = await window.load(manifest, options);
    window.frames = [];
    window.keepFrames = true;
    await pipeline.start();
    const reading = (async () => { for await (const _ of pipeline.outputs()); })();
    const recorder = await pipeline.connectRecorder({ from: "to16k" });
    const microphone = await pipeline.connectMicrophone({ to: "in" });
    await window.until(async () => {
        const { nodes } = await pipeline.metrics();
        return nodes[0].count >= seconds * 50;
    });
    await microphone.disconnect();
    await pipeline.finish();
    await reading;
    window.keepFrames = false;
    await fetch("/frames", { method: "POST", body: new Blob(window.frames) });
    await fetch("/made", { method: "POST", body: await recorder.stop() });
    const { link, audioContext } = pipeline;
    await pipeline.close();
    return { link, rate: audioContext.sampleRate };
}"""


def processed_as_natively(site: Site, answer: dict[str, Any], seconds: float) -> float:
    """Runs natively what was captured, with its times and gaps; gives the loudest sample."""
    packets = frames(site.posted["/frames"])
    heard = [packet.data for packet in packets if packet.node == "in"]
    assert all(audio.sample_rate == answer["rate"] for audio in heard)
    captured = sum(audio.frames for audio in heard)
    assert captured >= 0.95 * seconds * answer["rate"]
    native = run(PROCESS, heard)
    ours = [packet.data for packet in native if packet.node == "to16k"]
    theirs = [packet.data for packet in packets if packet.node == "to16k"]
    assert [audio.pts_us for audio in theirs] == [audio.pts_us for audio in ours]
    expected = np.concatenate([audio.samples for audio in ours], axis=1)
    made = np.concatenate([audio.samples for audio in theirs], axis=1)
    assert made.shape == expected.shape
    assert np.abs(made - expected).max() <= 2 * RESAMPLE  # of full scale 2, after the gain
    recorded, recorded_rate = samples(site.posted["/made"])
    assert recorded_rate == 16_000
    assert np.array_equal(recorded, made)
    return float(np.abs(made).max())


@pytest.mark.parametrize("query", LINKS)
def test_a_microphone_is_processed_as_natively(site: Site, talking: Browser, query: str) -> None:
    page = talking.new_page(permissions=["microphone"])
    page.goto(f"{site.address}/page/index.html{query}")
    page.wait_for_function("window.ready")
    answer = page.evaluate(RECORD, [PROCESS, 0, 3])
    page.close()
    assert answer["link"] == ("transferred" if query else "shared")
    assert processed_as_natively(site, answer, 3) > 0.05  # somebody speaks


@pytest.mark.parametrize("rate", [44_100, 48_000, 96_000])
def test_the_rate_of_the_context_is_taken_as_it_is(site: Site, talking: Browser, rate: int) -> None:
    page = talking.new_page(permissions=["microphone"])
    page.goto(f"{site.address}/page/index.html")
    page.wait_for_function("window.ready")
    answer = page.evaluate(RECORD, [PROCESS, rate, 1])
    page.close()
    assert answer["rate"] == rate
    processed_as_natively(site, answer, 1)


def test_our_own_context_has_the_rate_of_the_device(site: Site, open_page: Open) -> None:
    page = open_page(site)
    rates = page.evaluate(
        """async (manifest) => {
            const asked = [];
            const Real = AudioContext;
            window.AudioContext = class extends Real {
                constructor(options) { super(options); asked.push(options?.sampleRate ?? null); }
            };
            const pipeline = await window.load(manifest);
            await pipeline.start();
            await pipeline.connectMicrophone();
            const { sampleRate } = pipeline.audioContext;
            await pipeline.close();
            return { asked, same: sampleRate === new Real().sampleRate, state: pipeline.audioContext.state };
        }""",
        PROCESS,
    )
    assert rates == {"asked": [None], "same": True, "state": "closed"}


# -- every sample is accounted for ------------------------------------------------------------------

SOURCE = """
import time
import remotemedia as rm

@rm.node("Stall", input_caps="audio(format=F32)", output_caps="audio(format=F32)")
class Stall(rm.Node):
    def open(self, ctx):
        self.count = 0

    def process(self, audio):
        self.count += 1
        if self.count in {0}:
            end = time.perf_counter() + {1}
            while time.perf_counter() < end:
                pass
        return audio
"""

PLAY = """async ([source, seconds, live]) => {
    const rate = 48000;
    const context = new AudioContext({ sampleRate: rate });
    const again = await window.load(
        { version: "v1", nodes: [{ id: "stall", node_type: "Stall" }] }, { source, audioContext: context });
    await again.start();
    await context.audioWorklet.addModule("/page/tap.js");
    const tap = new AudioWorkletNode(context, "tap", { channelCount: 1, channelCountMode: "explicit" });
    const parts = [];
    tap.port.onmessage = ({ data }) => parts.push(data[0]);
    tap.connect(context.destination);
    const recorder = await again.connectRecorder();
    const speaker = await again.connectSpeaker({ live, channels: 1, destination: tap });
    const ramp = Float32Array.from({ length: seconds * rate }, (_, n) => (n + 1) / 2 ** 23);
    const file = await window.wavOf(ramp, rate);
    const connection = await again.connectFile(file, { pace: "realtime", finish: false });
    await connection.ended;
    await window.until(async () => {
        const { rings } = await again.metrics();
        const ring = rings.find(({ kind }) => kind === "speaker");
        return ring.filled === 0;
    });
    const { rings } = await again.metrics();
    await window.sleep(200);
    await fetch("/heard", { method: "POST", body: await recorder.stop() });
    await fetch("/played", { method: "POST", body: new Blob(parts) });
    const { link } = again;
    await again.close();
    await context.close();
    return { rings, link };
}"""


FADE = 64
SHORTEST = 128  # frames of a piece: fades are shorter


def runs(values: np.ndarray) -> list[tuple[int, int]]:
    """First and last of every stretch that counts up by one."""
    breaks = np.flatnonzero(np.diff(values) != 1)
    starts = np.concatenate([[0], breaks + 1])
    ends = np.concatenate([breaks, [len(values) - 1]])
    return [
        (int(values[start]), int(values[end]))
        for start, end in zip(starts, ends, strict=True)
        if end - start >= SHORTEST
    ]


def accounted(site: Site, answer: dict[str, Any], seconds: int) -> dict[str, int]:
    """Checks what every sample became; gives the counts."""
    total = seconds * 48_000
    heard, _rate = post(site, "/heard")
    played = np.frombuffer(site.posted["/played"], np.float32)
    speaker = next(ring for ring in answer["rings"] if ring["kind"] == "speaker")
    index = np.round(heard[0] * 2**23).astype(np.int64)
    ramp = index[index > 0]
    assert np.array_equal(ramp, np.arange(1, total + 1))  # every sample once, in order
    first = int(np.argmax(index > 0))
    assert np.array_equal(index[first : first + total], ramp)  # nothing in between
    assert len(index) - total <= 1_024  # the browser starts and ends it within a few quanta
    assert speaker["written"] == heard.shape[1]
    assert speaker["read"] == speaker["written"]
    # What was played: pieces of the ramp, in order. Between two of them samples were faded or skipped.
    pieces = runs(np.round(played.astype(np.float64) * 2**23).astype(np.int64))
    assert len(pieces) >= 2
    missing = [after[0] - before[1] - 1 for before, after in pairwise(pieces)]
    assert min(missing) >= 0  # nothing twice, nothing out of order
    missing.append(pieces[0][0] - 1)
    missing.append(total - pieces[-1][1])
    lost = sum(missing) - speaker["skipped"]
    silent = len(index) - total  # in front of the ramp and behind it, and may have been skipped
    assert -silent <= lost <= 4 * FADE * len(missing)
    return {name: speaker[name] for name in ("underrun", "skipped", "overrun", "cleared")}


@pytest.mark.parametrize("query", LINKS)
def test_buffered_nothing_is_skipped_and_silence_is_counted(
    site: Site, open_page: Open, query: str
) -> None:
    page = open_page(site, query)
    source = SOURCE.format("{60}", 0.3)
    answer = page.evaluate(PLAY, [source, 3, False])
    counts = accounted(site, answer, 3)
    assert counts["skipped"] == counts["overrun"] == counts["cleared"] == 0
    assert counts["underrun"] > 0.2 * 48_000  # the stall was heard


@pytest.mark.parametrize("query", LINKS)
def test_live_what_came_too_late_is_skipped_and_counted(
    site: Site, open_page: Open, query: str
) -> None:
    page = open_page(site, query)
    source = SOURCE.format("{60}", 0.3)
    answer = page.evaluate(PLAY, [source, 4, True])
    counts = accounted(site, answer, 4)
    assert counts["overrun"] == counts["cleared"] == 0
    assert counts["underrun"] > 0.2 * 48_000
    assert counts["skipped"] > 0.2 * 48_000  # it is back at its latency


# -- devices and gestures ----------------------------------------------------------------------------


def test_a_microphone_that_goes_away_is_replaced(site: Site, open_page: Open) -> None:
    page = open_page(site)
    messages = page.evaluate(
        """async (manifest) => {
            const streams = [];
            const devices = navigator.mediaDevices;
            const real = devices.getUserMedia.bind(devices);
            devices.getUserMedia = async (wanted) => {
                const stream = await real(wanted);
                streams.push(stream);
                return stream;
            };
            const pipeline = await window.load(manifest);
            const events = window.eventsOf(pipeline);
            await pipeline.start();
            await pipeline.connectMicrophone();
            const [track] = streams[0].getAudioTracks();
            track.stop();
            track.dispatchEvent(new Event("ended"));  // what unplugging fires
            await window.until(() => streams.length === 2);
            const before = (await pipeline.metrics()).nodes[0].count;
            await window.until(async () => (await pipeline.metrics()).nodes[0].count > before + 10);
            // And one that cannot be replaced, until a device comes.
            devices.getUserMedia = () => Promise.reject(new DOMException("none", "NotFoundError"));
            const [second] = streams[1].getAudioTracks();
            second.stop();
            second.dispatchEvent(new Event("ended"));
            await window.until(() => events.some(({ message }) => /waiting/.test(message ?? "")));
            devices.getUserMedia = async (wanted) => {
                streams.push(await real(wanted));
                return streams.at(-1);
            };
            devices.dispatchEvent(new Event("devicechange"));
            await window.until(() => streams.length === 3);
            await pipeline.close();
            const live = streams.flatMap((stream) => stream.getTracks()).filter((one) => one.readyState === "live");
            return { told: events.filter(({ kind }) => kind === "device").map(({ message }) => message), live: live.length };
        }""",
        PROCESS,
    )
    assert messages["live"] == 0
    told = " | ".join(messages["told"])
    assert "went away" in told
    assert "going on with" in told
    assert "there is no other microphone (there is no microphone): waiting for one" in told


def test_no_microphone_is_told_and_leaves_the_pipeline_running(site: Site, open_page: Open) -> None:
    page = open_page(site)
    told = page.evaluate(
        """async (manifest) => {
            navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("no", "NotAllowedError"));
            const pipeline = await window.load(manifest);
            await pipeline.start();
            const error = await pipeline.connectMicrophone().catch((error) => error);
            await pipeline.send(web.audio(new Float32Array(480), 48000));
            const { state } = pipeline;
            await pipeline.close();
            return { ...window.told(error), state };
        }""",
        PROCESS,
    )
    assert (told["code"], told["state"]) == ("microphone", "running")
    assert "does not allow the microphone" in told["message"]


def test_a_suspended_context_is_reported_and_unlocked_by_a_gesture(
    site: Site, playwright: Playwright
) -> None:
    policy = "--autoplay-policy=document-user-activation-required"
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*QUIET, policy])
    page = browser.new_page()
    page.goto(f"{site.address}/page/suspended.html")
    (suspended,) = site.wait_for("/states", lines=1)
    assert suspended.startswith("suspended suspended: ")
    assert "until the user clicks" in suspended
    page.click("#button")
    assert site.wait_for("/states", lines=2)[1].startswith("resumed running: ")
    browser.close()


def test_streams_and_elements_feed_the_graph(site: Site, open_page: Open) -> None:
    page = open_page(site)
    answer = page.evaluate(
        """async (manifest) => {
            const context = new AudioContext();
            const pipeline = await window.load(manifest, { audioContext: context });
            await pipeline.start();
            const peak = async (connection) => {
                let highest = 0;
                for await (const packet of pipeline.outputs()) {
                    if (packet.node !== "in") continue;
                    for (const sample of packet.data.samples) highest = Math.max(highest, Math.abs(sample));
                    if (highest > 0.1) break;
                }
                await connection.disconnect();
                return highest;
            };
            const tone = new OscillatorNode(context, { frequency: 440 });
            const target = new MediaStreamAudioDestinationNode(context);
            tone.connect(target);
            tone.start();
            const stream = await peak(await pipeline.connectStream(target.stream, { to: "in" }));
            const element = new Audio("/recordings/two_cities.wav");
            element.currentTime = 2;
            await element.play();
            const played = await peak(await pipeline.connectElement(element, { to: "in" }));
            element.pause();
            const empty = await pipeline.connectStream(new MediaStream()).catch((error) => error);
            await pipeline.close();
            return { stream, played, open: context.state, empty: empty.message };
        }""",
        PROCESS,
    )
    assert answer["stream"] > 0.1
    assert answer["played"] > 0.1
    assert answer["open"] == "running"  # the user's own context is not closed
    assert "no audio track" in answer["empty"]


def test_compressed_files_are_decoded_by_the_browser(
    site: Site, open_page: Open, tmp_path: Path, folders: dict[str, Path]
) -> None:
    page = open_page(site)
    # Chromium makes the file itself: no encoder is needed here.
    answer = page.evaluate(
        """async (manifest) => {
            const context = new AudioContext();
            const tone = new OscillatorNode(context, { frequency: 440 });
            const target = new MediaStreamAudioDestinationNode(context);
            tone.connect(target);
            tone.start();
            const recorder = new MediaRecorder(target.stream);
            const parts = [];
            recorder.ondataavailable = ({ data }) => parts.push(data);
            recorder.start();
            await window.sleep(1000);
            const stopped = new Promise((resolve) => (recorder.onstop = resolve));
            recorder.stop();
            await stopped;
            await context.close();
            const pipeline = await window.load(manifest);
            await pipeline.start();
            const reading = (async () => {
                let frames = 0;
                let rate = 0;
                for await (const { node, data } of pipeline.outputs()) {
                    if (node !== "in") continue;
                    frames += data.frames;
                    rate = data.sampleRate;
                }
                return { seconds: frames / rate, rate };
            })();
            const connection = await pipeline.connectFile(new Blob(parts), { decodeRate: 32000 });
            await connection.ended;
            const read = await reading;
            const wrong = await window.load(manifest);
            await wrong.start();
            const error = await wrong.connectFile(new Blob(["this is no audio at all"])).catch((error) => error);
            await wrong.close();
            await pipeline.close();
            return { ...read, error: window.told(error) };
        }""",
        PROCESS,
    )
    assert answer["rate"] == 32_000
    assert answer["seconds"] == pytest.approx(1, abs=0.3)
    assert answer["error"]["code"] == "media_file"
    assert "ffmpeg" in answer["error"]["message"]
