"""Chromium on the built package, for the benchmarks of the page."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from harness.report import REPOSITORY

sys.path[:0] = [str(REPOSITORY / "scripts"), str(REPOSITORY / "tests" / "e2e")]
from e2e_site import ISOLATED, POLICY, Site, serving

import fetch_models
import fetch_recordings
import pyodide_dist
import pyodide_web

WASM = REPOSITORY / "wasm"
BUILD = REPOSITORY / "build" / "bench-web"
FLAGS = [
    *("--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-quic"),
    *("--no-first-run", "--disable-background-networking", "--disable-component-update"),
    *("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"),
    "--autoplay-policy=no-user-gesture-required",
    "--enable-precise-memory-info",
]


def build() -> None:
    """Bundle bench/web with the sources that it looks into; the package itself must be built."""
    if not (WASM / "dist" / "index.js").is_file():
        raise SystemExit("build the package first: scripts/build_web")
    shutil.rmtree(BUILD, ignore_errors=True)
    BUILD.mkdir(parents=True)
    source = REPOSITORY / "bench" / "web"
    bundle = ["npx", "esbuild", str(source / "bench.ts"), str(source / "pacer.ts"), "--bundle"]
    options = ["--format=esm", "--target=es2022", f"--outdir={BUILD}", "--log-level=warning"]
    subprocess.run([*bundle, *options], cwd=WASM, check=True)
    for file in source.glob("*.html"):
        shutil.copy(file, BUILD)
    for name in ("bare.js", "links.js", "silero_raw.js"):
        shutil.copy(source / name, BUILD)
    for name in ("worker.js", "capture.js", "playback.js"):
        shutil.copy(WASM / "dist" / name, BUILD)
    shutil.copytree(WASM / "dist" / "assets", BUILD / "assets")


@contextmanager
def site() -> Iterator[Site]:
    """The server: cross-origin isolated, under the promised Content-Security-Policy."""
    folders: dict[str, Path] = {
        "/bench/": BUILD,
        "/pyodide/": pyodide_web.locate(),
        "/official/": pyodide_dist.locate(),
        "/recordings/": fetch_recordings.fetch(),
        "/models/": fetch_models.fetch(),
        "/onnx/": WASM / "node_modules" / "onnxruntime-web" / "dist",
    }
    with serving(folders, {**ISOLATED, "Content-Security-Policy": POLICY}) as served:
        yield served


@contextmanager
def chromium(flags: Sequence[str] = ()) -> Iterator[Browser]:
    """The browser."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or "chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*FLAGS, *flags])
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def page(browser: Browser, served: Site) -> Iterator[Page]:
    """A fresh page of a fresh context, with nothing cached."""
    context = browser.new_context(permissions=["microphone"])
    context.set_default_timeout(60_000)
    opened = context.new_page()
    opened.on("console", lambda message: print(f"page: {message.text}", file=sys.stderr))
    opened.on("pageerror", lambda error: print(f"page: {error}", file=sys.stderr))
    opened.goto(f"{served.address}/bench/index.html")
    opened.wait_for_function("window.ready === true")
    try:
        yield opened
    finally:
        context.close()
