"""Barge-in in a page: nothing old comes, the speaker falls silent, and it does so smoothly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from e2e_site import Site
from playwright.sync_api import Page

Open = Callable[..., Page]

LINKS = ["", "?link=transferred"]
RATE = 48_000
BLOCK = 960  # frames of what is sent

SOURCE = """
import remotemedia as rm
from remotemedia.clock import sleep

@rm.node("Later", input_caps="text", output_caps="text")
class Later(rm.Node):
    def open(self, ctx):
        self.clock = ctx.clock

    async def process(self, text):
        await sleep(self.clock, 1_000)
        yield text
        await sleep(self.clock, 2_000)
        yield text

@rm.node("Thrice", input_caps="text", output_caps="text")
def thrice(text: rm.Text):
    return [text, text, text]
"""
NODES = {
    "version": "v1",
    "nodes": [
        {"id": "in", "node_type": "Thrice"},
        {"id": "inline", "node_type": "Thrice"},
        {"id": "later", "node_type": "Later"},
        {"id": "after", "node_type": "Thrice"},
    ],
    "connections": [
        {"from": "in", "to": "inline"},
        {"from": "in", "to": "later"},
        {"from": "later", "to": "after"},
    ],
}

BARGE_IN = """async ([source, manifest, rounds, seed]) => {
    let state = seed;
    const random = () => ((state = (state * 1103515245 + 12345) % 2147483648) / 2147483648);
    const pipeline = await window.load(manifest, { source });
    await pipeline.start();
    let done = 0;  // the last round that was interrupted
    let held, release;
    const counts = { stale: 0, fresh: {}, interrupted: 0 };
    const reading = (async () => {
        for await (const { node, data } of pipeline.outputs()) {
            if (Number(data.text) <= done) counts.stale += 1;
            else counts.fresh[node] = (counts.fresh[node] ?? 0) + 1;
            await held;  // so that packets wait in the page, and in the worker
        }
    })();
    const channel = new MessageChannel();
    const turn = () => new Promise((resolve) => {
        channel.port1.onmessage = resolve;
        channel.port2.postMessage(null);
    });
    const sends = [];
    for (let round = 1; round <= rounds; round++) {
        if (random() < 0.5) held = new Promise((resolve) => (release = resolve));
        const items = random() < 0.02 ? 60 : 1 + Math.floor(4 * random());  // now and then more than the page takes
        for (let n = 0; n < items; n++) sends.push(pipeline.send(web.text(String(round))));
        const until = performance.now() + (items > 4 ? 200 : 6 * random() * random());
        do await turn(); while (performance.now() < until);
        await pipeline.interrupt();
        done = round;
        release?.();
        held = undefined;
    }
    await Promise.all(sends);
    await pipeline.send(web.text(String(rounds + 1)));
    await pipeline.finish();
    await reading;
    const { edges } = await pipeline.metrics();
    for (const { dropped } of edges) counts.interrupted += dropped.interrupt ?? 0;
    await pipeline.close();
    return counts;
}"""


@pytest.mark.parametrize("query", LINKS)
def test_after_a_thousand_interrupts_nothing_old_came(
    site: Site, open_page: Open, query: str
) -> None:
    page = open_page(site, query)
    counts = page.evaluate(BARGE_IN, [SOURCE, NODES, 1_000, 20_250_101])
    assert counts["stale"] == 0
    # It was not for want of packets: many came in time, of both kinds of nodes, and many were cut.
    assert counts["fresh"]["inline"] > 500
    assert counts["fresh"]["after"] > 100
    assert counts["interrupted"] > 1_000


def test_only_what_is_behind_a_node_is_interrupted(site: Site, open_page: Open) -> None:
    page = open_page(site)
    answer = page.evaluate(
        """async ([source, manifest]) => {
            const pipeline = await window.load(manifest, { source });
            await pipeline.start();
            await pipeline.send(web.text("old"));
            await window.until(async () => {
                const { edges } = await pipeline.metrics();
                return edges.find(({ source, target }) => source === "after:out" && target === "client").entered === 18;
            });
            await pipeline.interrupt({ from: "later" });
            const wrong = await pipeline.interrupt({ from: "latr" }).catch((error) => error);
            const odd = await pipeline.interrupt({ fadeMs: -5 }).catch((error) => error);
            await pipeline.send(web.text("new"));
            const finished = pipeline.finish();
            const came = [];
            for await (const { node, data } of pipeline.outputs()) came.push(`${node} ${data.text}`);
            await finished;
            await pipeline.close();
            return { came, wrong: window.told(wrong), odd: window.told(odd) };
        }""",
        [SOURCE, NODES],
    )
    came = answer["came"]
    assert {line: came.count(line) for line in sorted(set(came))} == {
        "after new": 18,
        "inline new": 9,
        "inline old": 9,
    }
    assert answer["wrong"]["code"] == "address"
    assert answer["odd"]["code"] == "params"


# -- the speaker ---------------------------------------------------------------------------------------

TONE = {"version": "v1", "nodes": [{"id": "tone", "node_type": "Gain"}]}
FREQUENCY, AMPLITUDE = 440, 0.5

SPEAK = """async ([manifest, fadeMs, rounds, frequency, amplitude, block]) => {
    const rate = 48000;
    const context = new AudioContext({ sampleRate: rate });
    const pipeline = await window.load(manifest, { audioContext: context });
    await pipeline.start();
    await context.audioWorklet.addModule("/page/clocked_tap.js");
    const tap = new AudioWorkletNode(context, "clocked-tap", { channelCount: 1, channelCountMode: "explicit" });
    let first = -1;
    const parts = [];
    tap.port.onmessage = ({ data: { frame, plane } }) => {
        if (first < 0) first = frame;
        parts.push(plane);
    };
    tap.connect(context.destination);
    await pipeline.connectSpeaker({ live: false, channels: 1, destination: tap });
    const wave = Float32Array.from({ length: 3 * rate }, (_, n) => amplitude * Math.sin(2 * Math.PI * frequency * n / rate));
    const played = async () => {
        const { rings: [ring] } = await pipeline.metrics();
        return ring.read - ring.cleared;
    };
    const calls = [];
    for (let round = 0; round < rounds; round++) {
        const before = await played();
        const sends = [];
        for (let at = 0; at < wave.length; at += block) {
            sends.push(pipeline.send(web.audio(wave.slice(at, at + block), rate)));
        }
        await window.until(async () => (await played()) > before + 9600);
        await window.sleep(137 * Math.random());
        const from = Math.round(context.currentTime * rate);
        await pipeline.interrupt({ fadeMs });
        calls.push([from, Math.round(context.currentTime * rate)]);
        await Promise.all(sends);
        await window.sleep(fadeMs + 250);
    }
    const { rings: [speaker] } = await pipeline.metrics();
    await window.sleep(100);
    await fetch("/played", { method: "POST", body: new Blob(parts) });
    const answer = { calls, first, speaker, link: pipeline.link, deviceMs: 1000 * context.baseLatency };
    await pipeline.close();
    await context.close();
    return answer;
}"""


def silences(site: Site, answer: dict[str, Any]) -> list[tuple[np.ndarray, int]]:
    """For each interrupt what was played around it, and the frame in that at which it was called."""
    played = np.frombuffer(site.posted["/played"], np.float32)
    found = []
    for called, _answered in answer["calls"]:
        at = called - answer["first"]
        found.append((played[at - RATE // 10 : at + RATE // 5], RATE // 10))
    return found


@pytest.mark.parametrize("fade_ms", [0, 50])
@pytest.mark.parametrize("query", LINKS)
def test_the_speaker_falls_silent(site: Site, open_page: Open, query: str, fade_ms: int) -> None:
    page = open_page(site, query)
    answer = page.evaluate(SPEAK, [TONE, fade_ms, 12, FREQUENCY, AMPLITUDE, BLOCK])
    assert answer["link"] == ("transferred" if query else "shared")
    own_step = 2 * np.pi * FREQUENCY / RATE * AMPLITUDE
    sounded = []
    for played, called in silences(site, answer):
        assert np.abs(played[:called]).max() > 0.9 * AMPLITUDE  # it was playing
        assert np.abs(played[-RATE // 20 :]).max() == 0
        last = int(np.flatnonzero(played)[-1])
        sounded.append((last + 1 - called) / RATE * 1000)
        steps = np.abs(np.diff(played.astype(np.float64)))
        if fade_ms:
            assert steps.max() <= own_step + 1e-6
            assert_raised_cosine(played.astype(np.float64), last, fade_ms * RATE // 1000)
        else:
            assert steps.max() <= own_step + AMPLITUDE / 64 + 1e-6
    bound = BLOCK / RATE * 1000 + answer["deviceMs"] + fade_ms
    within = sorted(sounded)[:-2]  # the machine may hold up the worker now and then
    assert within[-1] <= bound, f"{sounded} of {bound}"
    assert answer["speaker"]["cleared"] > 0.5 * RATE  # of a ring that was full


def assert_raised_cosine(played: np.ndarray, last: int, frames: int) -> None:
    """The tone went on as it was, under half a period of a cosine that ends at `last`."""
    start = last + 2 - frames  # its own last sample is 0
    position = np.arange(start - 1_000, start + frames)
    angle = 2 * np.pi * FREQUENCY / RATE * position
    basis = np.stack([np.sin(angle), np.cos(angle)], axis=1)
    before = basis[:1_000]
    phase = np.linalg.lstsq(before, played[start - 1_000 : start], rcond=None)[0]
    assert np.abs(before @ phase - played[start - 1_000 : start]).max() < 1e-5
    level = (1 + np.cos(np.pi * np.arange(1, frames + 1) / frames)) / 2
    expected = basis[1_000:] @ phase * level
    assert np.abs(expected - played[start : start + frames]).max() < 1e-4
