"""Nodes that compute with models give in a browser what they give natively."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import native_run
import pytest
from e2e_site import Site
from playwright.sync_api import Page

from remotemedia import Json, Packet

Open = Callable[..., Page]
RECORDING = "two_cities.wav"


def manifest(**params: object) -> dict[str, object]:
    return {
        "version": "v1",
        "metadata": {"name": "speech"},
        "nodes": [
            {"id": "to16k", "node_type": "AudioResample", "params": {"target_rate": 16000}},
            {"id": "vad", "node_type": "SileroVAD", "params": params},
        ],
        "connections": [{"from": "to16k", "to": "vad"}],
    }


@pytest.fixture(scope="module")
def native(folders: dict[str, Path]) -> Iterator[list[Packet]]:
    """What onnxruntime finds in the recording."""
    before = os.environ.get("REMOTEMEDIA_MODELS")
    os.environ["REMOTEMEDIA_MODELS"] = str(folders["/models/"])
    try:
        blocks = native_run.blocks((folders["/recordings/"] / RECORDING).read_bytes())
        yield native_run.run(manifest(), blocks)
    finally:
        if before is None:
            del os.environ["REMOTEMEDIA_MODELS"]
        else:
            os.environ["REMOTEMEDIA_MODELS"] = before


def events(packets: list[Packet]) -> list[dict[str, object]]:
    return [packet.data.value for packet in packets if isinstance(packet.data, Json)]


def test_silero_in_chromium(site: Site, open_page: Open, native: list[Packet]) -> None:
    page = open_page(site)
    answer = page.evaluate(
        "([manifest, file]) => window.runFile(manifest, file, '/posted')",
        [manifest(), f"/recordings/{RECORDING}"],
    )
    found = native_run.frames(site.posted["/posted"])
    assert len(found) == answer["count"]
    there, here = events(found), events(native)
    assert len(here) >= 10
    for one, other in zip(there, here, strict=True):
        assert abs(one.pop("probability", 0) - other.pop("probability", 0)) <= 1e-3
        assert one == other
    assert page.evaluate("window.violations") == []
