"""What can go wrong while a page loads is told with the file, the reason and the fix."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from e2e_site import ISOLATED, Answer, Site, serving
from my_nodes import write_wheel
from playwright.sync_api import Page

Open = Callable[..., Page]

MANIFEST = {"version": "v1", "nodes": [{"id": "a", "node_type": "PassThrough"}]}


@pytest.fixture
def free_site(folders: dict[str, Path]) -> Iterator[Site]:
    """Without a Content-Security-Policy."""
    with serving(folders, ISOLATED) as served:
        yield served


def wheel_address(site: Site, name: str = "remotemedia") -> str:
    folder = site.folders["/web/"] / "assets"
    (file,) = folder.glob(f"{name}-*.whl.xz")
    return f"/web/assets/{file.name}"


def test_progress_is_told_throughout(site: Site, open_page: Open) -> None:
    page = open_page(site)
    largest = "/pyodide/pyodide.asm.wasm"
    file = site.find(largest)
    assert file is not None
    content, gate = file.read_bytes(), threading.Event()
    site.special[largest] = lambda: Answer(200, content, "application/wasm", gate)
    page.evaluate(
        """(manifest) => {
            window.told = [];
            window.loading = window.load(manifest, { onProgress: (progress) => window.told.push(progress) });
        }""",
        MANIFEST,
    )
    # Bytes are told, not files: all but this file is less than what is there of it.
    arrived = len(content) * 19 // 20
    page.wait_for_function("(bytes) => window.told.at(-1)?.loadedBytes >= bytes", arg=arrived)
    held = page.evaluate("window.told.at(-1)")
    gate.set()
    told = page.evaluate(
        "window.loading.then((pipeline) => pipeline.close()).then(() => window.told)"
    )
    phases = list(dict.fromkeys(each["phase"] for each in told))
    assert phases == ["download", "python", "packages", "pipeline", "ready"]
    fractions = [each["fraction"] for each in told]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0, 1)
    loaded = [each["loadedBytes"] for each in told[:-1]]
    assert loaded == sorted(loaded)
    assert loaded[-1] > 12e6
    assert loaded[-1] - len(content) < arrived
    assert held["phase"] == "download"
    assert held["loadedBytes"] <= loaded[-1] - (len(content) - arrived)
    assert all(each["message"] for each in told)


def test_scipy_is_loaded_only_for_a_node_that_needs_it(site: Site, open_page: Open) -> None:
    page = open_page(site)
    page.evaluate("(manifest) => window.load(manifest).then((p) => p.close())", MANIFEST)
    assert not [path for path in site.requests if "scipy" in path]
    assert not [path for path in site.requests if "pyyaml" in path]
    manifest = {
        "version": "v1",
        "nodes": [{"id": "f", "node_type": "IIRFilter", "params": {"cutoff_hz": 1000}}],
    }
    peak = page.evaluate(
        """async (manifest) => {
            const pipeline = await window.load(manifest);
            await pipeline.start();
            const tone = Float32Array.from({ length: 48000 }, (_, n) => Math.sin(n * 2 * Math.PI * 0.25));
            await pipeline.send(web.audio(tone, 48000));
            const packet = await window.nextOf(pipeline);
            await pipeline.close();
            return Math.max(...packet.data.samples.subarray(24000));
        }""",
        manifest,
    )
    assert 0 < peak < 0.01  # 12 kHz through a low-pass of 1 kHz, second order: about 1/270
    assert [path for path in site.requests if "scipy" in path]


def test_a_missing_wheel(site: Site, open_page: Open) -> None:
    page = open_page(site)
    site.special[wheel_address(site)] = lambda: Answer(404, b"gone", "text/plain")
    error = page.evaluate("window.loadError", MANIFEST)
    assert error["code"] == "load"
    assert "HTTP 404" in error["message"]
    assert wheel_address(site) in error["message"]
    assert "baseUrl" in error["message"]


def test_a_corrupted_wheel(site: Site, open_page: Open) -> None:
    page = open_page(site)
    address = wheel_address(site)
    file = site.find(address)
    assert file is not None
    good = file.read_bytes()
    broken = good[:5_000] + bytes([good[5_000] ^ 1]) + good[5_001:]
    site.special[address] = lambda: Answer(200, broken, "application/x-xz")
    error = page.evaluate("window.loadError", MANIFEST)
    assert error["code"] == "load"
    assert address in error["message"]
    assert "corrupted" in error["message"]
    site.special.clear()
    assert page.evaluate("window.loadError", MANIFEST) is None


def test_an_older_wheel_says_that_the_versions_differ(site: Site, open_page: Open) -> None:
    page = open_page(site)
    other = site.find(wheel_address(site, "pyyaml"))
    assert other is not None
    content = other.read_bytes()
    site.special[wheel_address(site)] = lambda: Answer(200, content, "application/x-xz")
    error = page.evaluate("window.loadError", MANIFEST)
    assert "SHA-256" in error["message"]
    assert "of one version" in error["message"]


def test_a_page_instead_of_the_wheel(site: Site, open_page: Open) -> None:
    page = open_page(site)
    site.special[wheel_address(site)] = lambda: Answer(200, b"<html></html>", "text/html")
    assert "HTML page instead of the file" in page.evaluate("window.loadError", MANIFEST)["message"]


def test_a_module_of_the_wrong_type(site: Site, open_page: Open) -> None:
    page = open_page(site)
    file = site.find("/pyodide/pyodide.mjs")
    assert file is not None
    content = file.read_bytes()
    site.special["/pyodide/pyodide.mjs"] = lambda: Answer(200, content, "text/plain")
    error = page.evaluate("window.loadError", MANIFEST)
    assert error["code"] == "load"
    assert "text/plain" in error["message"]
    assert "text/javascript" in error["message"]


def test_a_wrong_folder_of_pyodide(site: Site, open_page: Open) -> None:
    page = open_page(site)
    error = page.evaluate(
        "(manifest) => window.loadError(manifest, { pyodideUrl: '/nowhere/' })", MANIFEST
    )
    assert "HTTP 404" in error["message"]
    assert "pyodideUrl" in error["message"]


def test_what_the_policy_blocks_is_named(site: Site, open_page: Open) -> None:
    page = open_page(site)
    with serving(site.folders, ISOLATED) as elsewhere:
        error = page.evaluate(
            "([manifest, pyodideUrl]) => window.loadError(manifest, { pyodideUrl })",
            [MANIFEST, f"{elsewhere.address}/pyodide/"],
        )
    assert error["code"] == "load"
    assert "Content-Security-Policy" in error["message"]
    assert "script-src" in error["message"]
    page.evaluate("window.violations.length = 0")


def test_a_second_load_takes_our_files_from_the_cache(site: Site, open_page: Open) -> None:
    page = open_page(site)
    for _ in range(2):
        assert page.evaluate("window.loadError", MANIFEST) is None
    assert site.requests.count(wheel_address(site)) == 1


def test_loading_can_be_aborted(site: Site, open_page: Open) -> None:
    page = open_page(site)
    error = page.evaluate(
        """async (manifest) => {
            const controller = new AbortController();
            setTimeout(() => controller.abort(), 200);
            return window.loadError(manifest, { signal: controller.signal });
        }""",
        MANIFEST,
    )
    assert error["code"] == "aborted"
    assert page.evaluate("window.workers.size") == 0


def test_a_manifest_that_is_wrong_tells_every_problem_with_its_place(
    site: Site, open_page: Open
) -> None:
    page = open_page(site)
    text = "version: v1\nnodes:\n  - {id: a, node_type: Gian}\n  - {id: b, node_type: Gain, params: {gain: 1}}\n"
    error = page.evaluate("window.loadError", text)
    assert error["code"] == "manifest"
    places = [(problem["line"], problem["column"]) for problem in error["problems"]]
    assert places == [(3, 24), (4, 39)]
    assert "did you mean 'Gain'" in error["problems"][0]["message"]
    assert page.evaluate("window.workers.size") == 0


def test_a_manifest_by_its_address(site: Site, open_page: Open) -> None:
    page = open_page(site)
    name = page.evaluate(
        """async () => {
            const pipeline = await window.load("/examples/01-speech-segments/pipeline.yaml");
            await pipeline.close();
            return pipeline.graph.nodes.map(({ id }) => id);
        }"""
    )
    assert name == ["mono", "to16k", "vad", "loudness"]
    error = page.evaluate("window.loadError", "/nowhere.yaml")
    assert "HTTP 404" in error["message"]


def test_nodes_of_a_wheel_of_the_user(
    site: Site, open_page: Open, tmp_path: Path, folders: dict[str, Path]
) -> None:
    wheel = write_wheel(tmp_path)
    site.folders = {**folders, "/mine/": tmp_path}
    page = open_page(site)
    answer = page.evaluate(
        """async (wheel) => {
            const manifest = { version: "v1", nodes: [{ id: "s", node_type: "MyShout" }] };
            const pipeline = await window.load(manifest, { packages: [wheel] });
            await pipeline.start();
            await pipeline.send(web.text("hello"));
            const packet = await window.nextOf(pipeline);
            await pipeline.close();
            return packet.data.text;
        }""",
        f"../mine/{wheel.name}",
    )
    assert answer == "HELLO!"


def test_packages_by_name_from_an_index(
    site: Site, open_page: Open, tmp_path: Path, folders: dict[str, Path]
) -> None:
    wheel = write_wheel(tmp_path)
    page_of_index = f'<a href="/mine/{wheel.name}">{wheel.name}</a>'
    site.folders = {**folders, "/mine/": tmp_path}
    site.special["/simple/my-nodes/"] = lambda: Answer(200, page_of_index.encode(), "text/html")
    page = open_page(site)
    answer = page.evaluate(
        """async (index) => {
            const manifest = { version: "v1", nodes: [{ id: "s", node_type: "MyShout" }] };
            const pipeline = await window.load(manifest, { packages: ["my-nodes"], indexUrls: [index] });
            const [node] = pipeline.graph.nodes;
            await pipeline.close();
            return node.nodeType;
        }""",
        f"{site.address}/simple",
    )
    assert answer == "MyShout"


def test_a_package_that_is_not_there(site: Site, open_page: Open) -> None:
    page = open_page(site)
    error = page.evaluate(
        "(manifest) => window.loadError(manifest, { packages: ['../mine/no_such-1.0-py3-none-any.whl'] })",
        MANIFEST,
    )
    assert "no_such-1.0-py3-none-any.whl" in error["message"]


def test_an_error_in_the_source_of_the_page_shows_its_line(site: Site, open_page: Open) -> None:
    page = open_page(site)
    error = page.evaluate(
        "(manifest) => window.loadError(manifest, { source: 'x = 1\\ny = x / 0\\n' })", MANIFEST
    )
    assert "ZeroDivisionError" in error["message"]
    assert "y = x / 0" in error["traceback"]
