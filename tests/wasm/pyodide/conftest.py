"""pytest-pyodide on the built wheel, in the Chromium that is here.

Asked for by: -p pytest_pyodide -p pytest_pyodide_hook --runner=playwright --rt=chrome --wheel=FILE
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from shutil import copy2
from typing import Any

import pytest
from playwright.sync_api import sync_playwright
from pytest_pyodide.server import spawn_web_server

REPOSITORY = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(REPOSITORY / "scripts"), str(REPOSITORY / "tests" / "e2e")]


@pytest.fixture(scope="session")
def distribution(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Pyodide distribution that has our wheel, and one with a node in it, in its lock."""
    from my_nodes import write_wheel

    import pyodide_dist
    import pyodide_lock

    wheel = request.config.getoption("--wheel")
    assert wheel is not None, "say which: --wheel=dist/remotemedia-….whl"
    folder = tmp_path_factory.mktemp("distribution")
    for file in pyodide_dist.locate().iterdir():
        if file.suffix == ".json":
            copy2(file, folder)
        else:
            (folder / file.name).symlink_to(file)
    copy2(wheel, folder)
    write_wheel(folder)
    pyodide_lock.prune_and_extend(folder)
    return folder


@pytest.fixture(scope="session")
def playwright_browsers() -> Iterator[dict[str, Any]]:
    """In place of pytest-pyodide's own, which knows only browsers that Playwright downloaded."""
    from chromium import CHROMIUM, QUIET

    with sync_playwright() as started:
        chrome = started.chromium.launch(executable_path=CHROMIUM, headless=True, args=QUIET)
        yield {"chrome": chrome}
        chrome.close()


@pytest.fixture(scope="session")
def web_server_main(distribution: Path) -> Iterator[tuple[str, int, Path]]:
    """In place of pytest-pyodide's own, which is not cross-origin isolated."""
    from e2e_site import ISOLATED

    with spawn_web_server(distribution, extra_headers=ISOLATED) as served:
        yield served
