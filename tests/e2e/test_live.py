"""Live sessions in a page: recorded, changed while audio runs, watched."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import native_run
import numpy as np
import pytest
from chromium import AUDIO, AUTOPLAY, CHROMIUM, QUIET
from e2e_site import Site
from playwright.sync_api import Browser, Page, Playwright

import remotemedia as rm
from remotemedia.recording import Recording
from remotemedia.testing import replay
from remotemedia.wav import WavDecoder

REPOSITORY = Path(__file__).resolve().parents[2]
EXAMPLE = "01-speech-segments"
Open = Callable[..., Page]

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


# -- recordings that replay natively ---------------------------------------------------------------------


def received(recording: Recording) -> list[rm.Packet]:
    packets = [record.packet for record in recording if record.kind == "received"]
    return native_run.in_order(packet for packet in packets if packet is not None)


def replays(recording: Recording, example: str = EXAMPLE) -> int:
    """Checks that it replays within the table of tolerances; how many packets came out."""
    assert recording.header.python.endswith("emscripten")
    page = received(recording)
    with ThreadPoolExecutor(1) as thread:  # Playwright's loop is at work in this one
        native = native_run.in_order(thread.submit(replay, recording).result())
    assert native_run.differences(f"examples/{example}", native, page) == []
    return len(page)


def test_a_recorded_file_replays_natively(site: Site, open_page: Open) -> None:
    page = open_page(site)
    answer = page.evaluate(
        """async ([manifest, file]) => {
            const pipeline = await window.load(manifest);
            await pipeline.start({ record: { taps: ["to16k"] } });
            const reading = (async () => {
                let count = 0;
                for await (const packet of pipeline.outputs()) count += packet.data ? 1 : 0;
                return count;
            })();
            const connection = await pipeline.connectFile(file);
            await connection.ended;
            const count = await reading;
            const early = pipeline.recording.size;
            const blob = await pipeline.recording.stop();
            await fetch("/recording", { method: "POST", body: blob });
            const same = blob === await pipeline.recording.stop();
            await pipeline.close();
            return { count, early, size: blob.size, type: blob.type, same };
        }""",
        [f"/examples/{EXAMPLE}/pipeline.yaml", "/recordings/two_cities.wav"],
    )
    content = site.posted["/recording"]
    assert answer["size"] == len(content)
    assert answer["type"] == "application/vnd.remotemedia.recording"
    assert 0 < answer["early"] < answer["size"]  # it came while it was written
    assert answer["same"]
    recording = Recording(content)
    assert replays(recording) == answer["count"] > 1_000
    kinds = [record.kind for record in recording]
    assert kinds.count("tapped") > 1_000
    assert (kinds.count("finished"), kinds[-1]) == (1, "closed")


def test_a_recorded_microphone_replays_natively(site: Site, talking: Browser) -> None:
    page = talking.new_page(permissions=["microphone"])
    page.goto(f"{site.address}/page/index.html")
    page.wait_for_function("window.ready")
    answer = page.evaluate(
        """async (manifest) => {
            const pipeline = await window.load(manifest);
            await pipeline.start();
            const recording = await pipeline.record();
            const reading = (async () => { for await (const _ of pipeline.outputs()); })();
            const microphone = await pipeline.connectMicrophone();
            const count = async () => (await pipeline.metrics()).nodes[0].count;
            await window.until(async () => await count() >= 100);
            await pipeline.interrupt();
            await window.until(async () => await count() >= 200);
            await microphone.disconnect();
            await pipeline.finish();
            await reading;
            const blob = await recording.stop();
            await fetch("/recording", { method: "POST", body: blob });
            await pipeline.close();
            return blob.size;
        }""",
        f"/examples/{EXAMPLE}/pipeline.yaml",
    )
    page.close()
    content = site.posted["/recording"]
    assert len(content) == answer
    recording = Recording(content)
    marks = [mark.kind for mark in recording.marks()]
    assert marks == ["interrupted", "finished", "closed"]
    assert replays(recording) > 50
    loudest = max(
        float(np.abs(packet.data.samples).max())
        for packet in received(recording)
        if isinstance(packet.data, rm.Audio)
    )
    assert loudest > 0.05  # somebody speaks


def test_a_recording_is_bounded_and_outlives_its_worker(site: Site, open_page: Open) -> None:
    page = open_page(site, "?link=transferred")
    answer = page.evaluate(
        """async (manifest) => {
            const source = `
import remotemedia as rm

@rm.node("Fragile", input_caps="audio | text", output_caps="audio | text")
def fragile(data):
    if isinstance(data, rm.Text):
        import msgspec
        msgspec.json.decode(b"[" * 200_000)
    return data
`;
            const pipeline = await window.load(manifest, { source });
            const events = window.eventsOf(pipeline);
            await pipeline.start();
            const small = await pipeline.record({ maxBytes: 100_000 });
            const large = await pipeline.record();
            const seen = await pipeline.subscribe("louder:in");
            for (let n = 0; n < 40; n++) await pipeline.send(web.audio(new Float32Array(9600).fill(1), 48000));
            await pipeline.setParams("louder", { gain_db: -20 });
            const blob = await small.stop();
            await fetch("/small", { method: "POST", body: blob });
            await pipeline.send(web.text("trap"), { to: "fragile" }).catch(() => undefined);
            await window.until(() => events.filter(({ state }) => state === "running").length === 2);
            await fetch("/large", { method: "POST", body: await large.stop() });
            // What was changed and what is looked at go on in the worker that took its place.
            await pipeline.send(web.audio(new Float32Array(7).fill(1), 48000));
            let last;
            for await (const { data } of seen) if (data.frames === 7) break;
            last = await window.nextOf(pipeline, ({ node, data }) => node === "louder" && data.frames === 7);
            const { params } = pipeline.graph.nodes.find(({ id }) => id === "louder");
            await pipeline.close();
            return { told: events.filter(({ what }) => what === "recording"), loud: last.data.samples[0], params };
        }""",
        {
            "version": "v1",
            "nodes": [
                {"id": "fragile", "node_type": "Fragile"},
                {"id": "louder", "node_type": "Gain"},
            ],
        },
    )
    (told,) = answer["told"]
    assert told["kind"] == "session"
    assert "has reached its 100,000 bytes" in told["message"]
    small = Recording(site.posted["/small"])
    assert 50_000 < len(site.posted["/small"]) <= 100_000
    assert [record.kind for record in small].count("sent") >= 1
    large = Recording(site.posted["/large"])
    assert [record.kind for record in large].count("sent") >= 30
    assert answer["loud"] == pytest.approx(0.1)
    assert answer["params"] == {"gain_db": -20}


# -- changed while audio runs ------------------------------------------------------------------------------

CHAIN: dict[str, Any] = {
    "version": "v1",
    "nodes": [
        {"id": "in", "node_type": "PassThrough"},
        {"id": "gain", "node_type": "Gain"},
        {"id": "out", "node_type": "PassThrough"},
    ],
    "connections": [{"from": "in", "to": "gain"}, {"from": "gain", "to": "out"}],
}
LONGER: dict[str, Any] = {
    "version": "v1",
    "nodes": [
        *CHAIN["nodes"],
        {"id": "second", "node_type": "Gain", "params": {"gain_db": -20}},
    ],
    "connections": [
        {"from": "in", "to": "gain"},
        {"from": "gain", "to": "second"},
        {"from": "second", "to": "out"},
    ],
}

CHANGE = """async ([chain, longer, seconds]) => {
    const rate = 48000;
    const context = new AudioContext({ sampleRate: rate });
    const pipeline = await window.load(chain, { audioContext: context });
    const events = window.eventsOf(pipeline);
    await pipeline.start();
    const recorder = await pipeline.connectRecorder({ from: "out" });
    await pipeline.connectSpeaker({ from: "out", live: true, destination: null });
    const ramp = Float32Array.from({ length: seconds * rate }, (_, n) => (n + 1) / 2 ** 23);
    const file = await pipeline.connectFile(await window.wavOf(ramp, rate), { pace: "realtime", finish: false });
    const next = async () => {
        const before = (await pipeline.metrics()).nodes[0].count;
        await window.until(async () => (await pipeline.metrics()).nodes[0].count >= before + 8);
    };
    const graphs = [];
    const steps = [
        () => pipeline.setParams("gain", { gain_db: -6 }),
        () => pipeline.setNode("gain", "bypass"),
        () => pipeline.setNode("gain", "enabled"),
        () => pipeline.apply(longer),
        () => pipeline.setParams("second", { gain_db: 0 }),
        () => pipeline.apply(JSON.stringify(chain)),
    ];
    for (const step of steps) {
        await next();
        await step();
        graphs.push(pipeline.graph.nodes.map(({ id, params }) => [id, params.gain_db ?? null]));
    }
    await next();
    const refused = [
        await pipeline.apply({ version: "v1", nodes: [{ id: "in", node_type: "PasThrough" }] }).catch(window.told),
        await pipeline.setParams("gain", { gain_db: "loud" }).catch(window.told),
        await pipeline.setNode("nobody", "bypass").catch(window.told),
    ];
    await file.ended;
    const { rings, session } = await pipeline.metrics();
    await fetch("/made", { method: "POST", body: await recorder.stop() });
    const changed = events.filter(({ what }) => what === "changed").map(({ message }) => message);
    const answer = { graphs, refused, rings, session, changed };
    await pipeline.close();
    await context.close();
    return answer;
}"""


@pytest.mark.parametrize("query", LINKS)
def test_a_graph_is_changed_without_a_gap(site: Site, open_page: Open, query: str) -> None:
    page = open_page(site, query)
    seconds = 4
    answer = page.evaluate(CHANGE, [CHAIN, LONGER, seconds])
    wav = WavDecoder()
    made = np.concatenate([*wav.feed(site.posted["/made"]), *wav.finish()], axis=1)[0]
    sounding = np.flatnonzero(made)
    made = made[sounding[0] : sounding[-1] + 1].astype(np.float64)
    assert len(made) == seconds * 48_000  # every sample of the ramp, nothing in between
    levels = made * 2**23 / np.arange(1, len(made) + 1)
    decibels = np.round(20 * np.log10(levels), 3)
    edges = np.flatnonzero(np.diff(decibels)) + 1
    # `apply` is given the whole manifest: its gain of 0 dB is one more change of a parameter.
    assert [float(decibels[at]) for at in [0, *edges]] == [0, -6, 0, -6, -20, 0]
    for ring in answer["rings"]:
        assert ring["overrun"] == 0
    assert answer["graphs"] == [
        [["in", None], ["gain", -6], ["out", None]],
        [["in", None], ["gain", -6], ["out", None]],
        [["in", None], ["gain", -6], ["out", None]],
        [["in", None], ["gain", 0], ["second", -20], ["out", None]],
        [["in", None], ["gain", 0], ["second", 0], ["out", None]],
        [["in", None], ["gain", 0], ["out", None]],
    ]
    assert [error["code"] for error in answer["refused"]] == ["manifest", "params", "address"]
    assert len(answer["changed"]) == 6
    assert answer["session"]["end_to_end"]["count"] > 100


# -- looked at and put in --------------------------------------------------------------------------------


def test_ports_are_looked_at_and_put_into(site: Site, open_page: Open) -> None:
    page = open_page(site)
    answer = page.evaluate(
        """async (chain) => {
            const pipeline = await window.load(chain);
            const events = window.eventsOf(pipeline);
            const before = await pipeline.subscribe("in:out").catch(window.told);
            await pipeline.start();
            const quick = await pipeline.subscribe("gain:in");
            const slow = await pipeline.subscribe("gain:in", { capacity: 10 });
            const wrong = await pipeline.subscribe("gian").catch(window.told);
            const of = (number) => web.audio(new Float32Array(number + 1), 48000);
            const quickly = (async () => {
                const seen = [];
                for await (const { data } of quick) seen.push(data.frames - 1);
                return seen;
            })();
            for (let n = 0; n < 300; n++) await pipeline.send(of(n));
            await window.until(() => events.some(({ what }) => what === "lagged"));
            const slowly = [];
            for await (const { data } of slow) {
                slowly.push(data.frames - 1);
                if (data.frames === 300) break;
            }
            const outputs = pipeline.outputs();
            for (let n = 0; n < 300; n++) await outputs.next();
            await pipeline.publish("gain:in", of(1000));
            await pipeline.publish("gain:out", of(2000));
            const put = [(await outputs.next()).value.data.frames, (await outputs.next()).value.data.frames];
            await pipeline.send(of(3000));
            await pipeline.stop();
            const seen = await quickly;
            const ended = await slow.next();
            await pipeline.close();
            return { before, wrong, seen, slowly, put, ended, place: quick.place,
                     lagged: events.filter(({ what }) => what === "lagged") };
        }""",
        CHAIN,
    )
    assert answer["before"]["code"] == "state"
    assert answer["wrong"]["code"] == "address"
    assert answer["seen"] == [*range(300), 1_000, 3_000]
    assert answer["place"] == "gain:in"
    slowly = answer["slowly"]
    assert slowly == sorted(slowly)
    assert slowly[-10:] == list(range(290, 300))  # those that waited
    assert slowly[:64] == list(range(64))  # what was under way; behind that the oldest are missed
    assert len(slowly) < 90
    assert answer["put"] == [1_001, 2_001]
    assert answer["ended"]["done"]
    (lagged,) = answer["lagged"]
    assert (lagged["kind"], lagged["node"]) == ("session", "gain")


def test_a_breaker_that_opens_is_told_and_is_no_error(site: Site, open_page: Open) -> None:
    page = open_page(site)
    source = base64.b64encode(
        b"import remotemedia as rm\n"
        b"@rm.node('Fails', input_caps='text', output_caps='text')\n"
        b"def fails(text): raise ValueError(text.text)\n"
    ).decode()
    answer = page.evaluate(
        """async (source) => {
            const manifest = { version: "v1", nodes: [{ id: "f", node_type: "Fails" }] };
            const pipeline = await window.load(manifest, { source: atob(source) });
            const events = window.eventsOf(pipeline);
            const wrong = await pipeline.start({ policy: { timout_ms: 5 } }).catch(window.told);
            await pipeline.start({ policy: { circuit_breaker: { failures: 3 } }, monitor: true });
            for (let n = 0; n < 5; n++) await pipeline.send(web.text(String(n)));
            await window.until(() => events.some(({ what }) => what === "breaker"));
            const { nodes: [node], session, streams } = await pipeline.metrics();
            await pipeline.close();
            return { wrong, node, session, streams,
                     kinds: events.map(({ kind }) => kind).filter((kind) => kind !== "state"),
                     told: events.find(({ kind }) => kind === "session") };
        }""",
        source,
    )
    assert (answer["wrong"]["code"], "timout_ms" in answer["wrong"]["message"]) == ("params", True)
    assert sorted(answer["kinds"]) == ["error", "error", "error", "session"]
    told = answer["told"]
    assert (told["kind"], told["what"], told["node"]) == ("session", "breaker", "f")
    assert "open" in told["message"]
    assert answer["node"]["breaker"] == "open"
    assert answer["node"]["refused"] >= 1
    assert answer["session"]["end_to_end"]["count"] == 0
    assert answer["streams"] == []
