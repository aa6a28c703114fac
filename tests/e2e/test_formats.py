"""Formats in a page: converters that are inserted, and that come and go with what is sent."""

from __future__ import annotations

from collections.abc import Callable

from e2e_site import Site
from playwright.sync_api import Page

Open = Callable[..., Page]

AT_16K = {"in": "audio(sample_rate=16000, channels=1)"}


def manifest(auto: bool) -> dict[str, object]:
    return {
        "version": "v1",
        "metadata": {"auto_negotiate": auto},
        "nodes": [
            {"id": "pass", "node_type": "PassThrough"},
            {
                "id": "chunk",
                "node_type": "AudioChunker",
                "params": {"chunk_ms": 20},
                "media_capabilities": {"inputs": AT_16K},
            },
        ],
        "connections": [{"from": "pass", "to": "chunk"}],
    }


def test_a_source_that_changes_its_rate(site: Site, open_page: Open) -> None:
    """48 kHz, then 44.1 kHz, then 16 kHz stereo: half a second each, and nothing is missing."""
    page = open_page(site)
    answer = page.evaluate(
        """async (manifest) => {
            const pipeline = await window.load(manifest);
            await pipeline.start();
            let frames = 0;
            const rates = new Set();
            const reading = (async () => {
                for await (const { data } of pipeline.outputs()) {
                    frames += data.samples.length / data.channels;
                    rates.add(`${data.sampleRate}/${data.channels}`);
                }
            })();
            for (const [rate, channels] of [[48000, 1], [44100, 1], [16000, 2]]) {
                for (let n = 0; n < 25; n++) {
                    await pipeline.send(web.audio(new Float32Array(rate / 50 * channels), rate, { channels }));
                }
            }
            await pipeline.finish();
            await reading;
            await pipeline.close();
            return { frames, rates: [...rates] };
        }""",
        manifest(auto=True),
    )
    assert answer == {"frames": 24_000, "rates": ["16000/1"]}


def test_without_auto_negotiate_the_error_names_the_fix(site: Site, open_page: Open) -> None:
    page = open_page(site)
    said = page.evaluate(
        """async (manifest) => {
            const pipeline = await window.load(manifest);
            await pipeline.start();
            await pipeline.send(web.audio(new Float32Array(960), 48000));
            for await (const event of pipeline.events()) {
                if (event.kind === "error") {
                    await pipeline.close();
                    return event.error.message;
                }
            }
        }""",
        manifest(auto=False),
    )
    assert "insert AudioResample {target_rate: 16000} between them" in said
