"""Manifests of strangers: nothing in them is executed, and nothing in them changes the page."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from e2e_site import Site
from playwright.sync_api import Page

Open = Callable[..., Page]

OK = {"version": "v1", "nodes": [{"id": "a", "node_type": "PassThrough"}]}

CORPUS = [
    "<script>window.pwned=1</script>",
    "<img src=x onerror=window.pwned=1>",
    '"><svg onload=window.pwned=1>',
    "javascript:window.pwned=1",
    "{{constructor.constructor('window.pwned=1')()}}",
    "${window.pwned=1}",
    "</title><script>window.pwned=1</script>",
    "'-window.pwned=1-'",
    '"]; window.pwned=1; click n0 "javascript:window.pwned=1"',
    "<iframe srcdoc='<script>parent.pwned=1</script>'>",
    "\u2028window.pwned=1\u2029",
    "__import__('js').pwned=1",
]


@pytest.mark.parametrize("text", CORPUS)
def test_text_of_a_manifest_stays_text(site: Site, open_page: Open, text: str) -> None:
    page = open_page(site)
    manifest = {
        "version": "v1",
        "metadata": {"name": text, "description": text},
        "nodes": [{"id": "a", "node_type": "PassThrough"}],
    }
    graph = page.evaluate(
        """async (manifest) => {
            const pipeline = await window.load(manifest);
            const { name, description, mermaid } = pipeline.graph;
            await pipeline.close();
            return { name, description, mermaid };
        }""",
        manifest,
    )
    assert graph["name"] == graph["description"] == text
    assert page.evaluate("window.pwned") is None


def test_errors_quote_what_is_wrong_and_execute_nothing(site: Site, open_page: Open) -> None:
    page = open_page(site)
    page.evaluate("async (manifest) => { window.pipeline = await window.load(manifest); }", OK)
    for text in CORPUS:
        manifest = {
            "version": "v1",
            "nodes": [
                {"id": text, "node_type": text, "params": {text: text}},
                {"id": "b", "node_type": "Gain", "params": {text: 1, "gain_db": text}},
            ],
            "connections": [{"from": text, "to": "b"}],
        }
        error = page.evaluate(
            "(manifest) => window.pipeline.reload({ manifest }).catch(window.told)", manifest
        )
        assert error["code"] == "manifest"
        messages = [problem["message"] for problem in error["problems"]]
        quoted = text[:20], repr(text)[1:21]  # separators of lines are escaped
        assert any(each in message for message in messages for each in quoted)
    page.evaluate("window.pipeline.close()")
    assert page.evaluate("window.pwned") is None


@pytest.mark.parametrize("key", ["__proto__", "constructor", "prototype"])
def test_keys_that_would_change_prototypes_are_refused_or_inert(
    site: Site, open_page: Open, key: str
) -> None:
    page = open_page(site)
    text = json.dumps(
        {
            "version": "v1",
            key: {"polluted": True},
            "metadata": {key: {"polluted": True}},
            "nodes": [{"id": "a", "node_type": "Gain", "params": {key: {"polluted": True}}}],
        }
    )
    error = page.evaluate("window.loadError", text)
    assert error["code"] == "manifest"
    assert any(key in problem["message"] for problem in error["problems"])
    assert page.evaluate("({}).polluted") is None
    assert page.evaluate("Object.prototype.polluted") is None


def test_data_with_such_keys_comes_back_as_data(site: Site, open_page: Open) -> None:
    page = open_page(site)
    answer = page.evaluate(
        """async () => {
            const pipeline = await window.load({ version: "v1", nodes: [{ id: "a", node_type: "PassThrough" }] });
            await pipeline.start();
            const value = JSON.parse('{"__proto__": {"polluted": true}, "constructor": 1}');
            await pipeline.send(web.json(value));
            const packet = await window.nextOf(pipeline);
            await pipeline.close();
            const got = packet.data.value;
            return [Object.keys(got), Object.prototype.polluted ?? null, ({}).polluted ?? null];
        }"""
    )
    assert answer == [["__proto__", "constructor"], None, None]


def test_a_user_node_s_error_text_is_only_text(site: Site, open_page: Open) -> None:
    page = open_page(site)
    told = page.evaluate(
        """async () => {
            const source = `
import remotemedia as rm
@rm.node("Loud", input_caps="text", output_caps="text")
def loud(text):
    raise ValueError("<img src=x onerror=window.pwned=1>")
`;
            const pipeline = await window.load(
                { version: "v1", nodes: [{ id: "loud", node_type: "Loud" }] }, { source });
            await pipeline.start();
            const events = window.eventsOf(pipeline);
            await pipeline.send(web.text("x"));
            await window.until(() => events.some((event) => event.kind === "error"));
            await pipeline.close();
            const { error, node } = events.find((event) => event.kind === "error");
            return { ...window.told(error), at: node };
        }"""
    )
    assert told["code"] == "node"
    assert told["at"] == "loud"
    assert "<img src=x" in told["message"]
    assert 'raise ValueError("<img src=x' in told["traceback"]
    assert page.evaluate("window.pwned") is None
