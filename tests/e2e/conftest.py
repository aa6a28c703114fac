"""Real browsers on the built package: Chromium through Playwright, Firefox through geckodriver."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Page,
    Playwright,
    expect,
    sync_playwright,
)

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY / "scripts"), str(REPOSITORY / "tests"), str(Path(__file__).parent)]
from chromium import AUDIO, AUTOPLAY, CHROMIUM, QUIET
from e2e_site import ISOLATED, POLICY, Site, serving
from firefox import Firefox

import fetch_models
import pyodide_web
from fetch_recordings import fetch

expect.set_options(timeout=30_000)

Open = Callable[..., Page]


@pytest.fixture(scope="session")
def folders() -> dict[str, Path]:
    """What the pages are made of."""
    web = Path(os.environ.get("REMOTEMEDIA_WEB") or REPOSITORY / "wasm" / "dist")
    assert (web / "index.js").is_file(), "build it first: scripts/build_web"
    return {
        "/web/": web,
        "/pyodide/": pyodide_web.locate(),
        "/examples/": REPOSITORY / "examples",
        "/recordings/": fetch(),
        "/models/": fetch_models.fetch(),
        "/onnx/": REPOSITORY / "wasm" / "node_modules" / "onnxruntime-web" / "dist",
        "/page/": Path(__file__).parent / "page",
    }


@pytest.fixture
def site(folders: dict[str, Path]) -> Iterator[Site]:
    """Cross-origin isolated, under the Content-Security-Policy that is promised."""
    with serving(folders, {**ISOLATED, "Content-Security-Policy": POLICY}) as served:
        yield served


@pytest.fixture
def plain_site(folders: dict[str, Path]) -> Iterator[Site]:
    """A server that knows nothing of COOP and COEP."""
    with serving(folders, {"Content-Security-Policy": POLICY}) as served:
        yield served


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="session")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    browser = playwright.chromium.launch(
        executable_path=CHROMIUM, headless=True, args=[*QUIET, *AUDIO, AUTOPLAY]
    )
    yield browser
    browser.close()


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    made = chromium.new_context(permissions=["microphone"])
    made.set_default_timeout(60_000)
    yield made
    made.close()


@pytest.fixture
def open_page(context: BrowserContext) -> Iterator[Open]:
    """Opens the page of the tests; at the end nothing may have gone wrong in it unseen."""
    pages: list[tuple[Page, list[str]]] = []

    def open_(served: Site, query: str = "") -> Page:
        page = context.new_page()
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(f"{served.address}/page/index.html{query}")
        page.wait_for_function("window.ready === true")
        pages.append((page, problems))
        return page

    yield open_
    for page, problems in pages:
        assert problems == []
        assert page.evaluate("window.violations") == []


@pytest.fixture(scope="session")
def firefox() -> Iterator[Firefox]:
    browser = Firefox()
    yield browser
    browser.close()
