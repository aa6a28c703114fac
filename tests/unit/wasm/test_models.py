"""What a page is told of the models of its graph."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest

from page_ends import GAIN, Page, idle, running
from remotemedia import protocol
from remotemedia.models.catalog import CATALOG
from remotemedia_wasm import messages as page

VAD = {
    "version": "v1",
    "nodes": [
        {"id": "vad", "node_type": "SileroVAD", "backend": "numpy"},
        {"id": "level", "node_type": "AudioLevel"},
    ],
}


async def test_the_models_of_a_graph_and_what_runs_them() -> None:
    page_ = Page()
    await page_.did(protocol.Load, manifest=VAD)
    known = CATALOG["silero-vad"]
    info = {
        "node": "vad",
        "model": "silero-vad",
        "bytes": known.size,
        "licence": "MIT",
        "description": known.description,
        "backend": "",
        "provider": "",
    }
    assert await page_.did(page.GetModels) == {"models": [info]}
    await page_.did(protocol.Start)
    opened = info | {"backend": "numpy", "provider": "cpu"}
    assert await page_.did(page.GetModels) == {"models": [opened]}


async def test_a_node_with_several_models_tells_of_each() -> None:
    page_ = Page()
    node = {"id": "wake", "node_type": "WakeWord", "params": {"words": ["alexa", "own/word.onnx"]}}
    await page_.did(protocol.Load, manifest={"version": "v1", "nodes": [node]})
    told = (await page_.did(page.GetModels))["models"]
    assert [(each["node"], each["model"]) for each in told] == [
        ("wake", "openwakeword"),
        ("wake", "alexa"),
        ("wake", "own/word.onnx"),
    ]
    assert [each["bytes"] for each in told] == [
        CATALOG["openwakeword"].size,
        CATALOG["alexa"].size,
        0,
    ]


async def test_a_graph_without_models_has_none() -> None:
    page_ = await running(GAIN)
    assert await page_.did(page.GetModels) == {"models": []}


async def test_the_part_with_models_is_not_loaded_to_say_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A page without such nodes does not have it."""
    monkeypatch.setitem(sys.modules, "remotemedia_wasm.models.listing", None)  # cannot be imported
    monkeypatch.delitem(sys.modules, "remotemedia.nodes.models.model_node", raising=False)
    page_ = await running(GAIN)
    assert await page_.did(page.GetModels) == {"models": []}


LOADS = """
import asyncio
import remotemedia as rm

gate = asyncio.Event()

@rm.node("TestLoadsSlowly")
class LoadsSlowly(rm.Node):
    async def open(self, ctx):
        ctx.progress("loading", 0.5)
        await gate.wait()

    async def process(self, data):
        return data
"""


async def test_how_far_it_is_is_told_while_nodes_open() -> None:
    page_ = Page()
    await page_.did(page.Define, source=LOADS)
    manifest = {"version": "v1", "nodes": [{"id": "slow", "node_type": "TestLoadsSlowly"}]}
    await page_.did(protocol.Load, manifest=manifest)
    number = page_.post(protocol.Start)
    await idle()
    assert page_.answered(number) is None  # still opening
    (told,) = page_.events()
    assert (told.kind, told.node, told.message) == ("progress", "slow", "loading (50%)")
    assert told.fraction == 0.5
    sys.modules["page_source"].gate.set()
    await idle()
    assert isinstance(page_.answered(number), protocol.Done)


# -- the store, on a host that downloads in memory ------------------------------------------------


class Content:
    """A Uint8Array."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def to_bytes(self) -> bytes:
        return self._content


class PageHost(ModuleType):
    """What JavaScript offers as `remotemedia_onnx`: gives files, with a word when half is here."""

    modelsUrl = "https://page.example/models/"  # noqa: N815 - its name there
    pageUrl = "https://page.example/"  # noqa: N815

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__("remotemedia_onnx")
        self.files = files
        self.kept: list[str] = []

    async def get(self, url: str, arrived: Any) -> Content:
        content = self.files[url.removeprefix(self.modelsUrl)]
        if arrived is not None:
            arrived(len(content) // 2)
        return Content(content)

    async def keep(self, url: str, content: bytes) -> None:
        self.kept.append(url.removeprefix(self.modelsUrl))


class Proxy:
    """What `create_proxy` makes of a function."""

    alive = 0

    def __init__(self, function: Any) -> None:
        self._function = function
        Proxy.alive += 1

    def __call__(self, *given: Any) -> Any:
        return self._function(*given)

    def destroy(self) -> None:
        Proxy.alive -= 1


async def test_the_store_tells_how_much_of_a_model_is_here(monkeypatch: pytest.MonkeyPatch) -> None:
    from remotemedia.models import catalog
    from remotemedia_wasm.models import store

    first, second = bytes(3_000_000), bytes(range(256)) * 3906  # 0.999936 MB
    files = {"both/a.onnx": first, "both/b.json": second}
    model = catalog.KnownModel(
        "both",
        tuple(
            catalog.ModelFile(
                name.partition("/")[2], store.hashlib.sha256(content).hexdigest(), size=len(content)
            )
            for name, content in files.items()
        ),
    )
    monkeypatch.setitem(catalog.CATALOG, "both", model)
    host = PageHost(files)
    monkeypatch.setitem(sys.modules, "remotemedia_onnx", host)
    ffi = ModuleType("pyodide.ffi")
    ffi.create_proxy, ffi.to_js, ffi.JsException = Proxy, bytes, OSError  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pyodide.ffi", ffi)
    told: list[tuple[str, float | None]] = []

    def progress(message: str, fraction: float | None = None) -> None:
        told.append((message, fraction if fraction is None else round(fraction, 3)))

    found = await store.PageStore().find("both", progress=progress)
    assert found == {"a.onnx": first, "b.json": second}
    assert host.kept == list(files)
    assert Proxy.alive == 0
    words = "loading the model both: {} of 4.0 MB"
    assert told == [
        (words.format("0.0"), 0.0),
        (words.format("1.5"), 0.375),
        (words.format("3.0"), 0.75),
        (words.format("3.5"), 0.875),
        (words.format("4.0"), 1.0),
        ("opening the model both", None),
    ]
