"""The worker's event loop, in a worker of Chromium: tests/wasm/python, which `make test` runs in Node.

All of them run once, in one worker; here is one test for each, so that each is counted and told of.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from e2e_site import ISOLATED, POLICY, Answer, serving
from playwright.sync_api import Browser

TESTS = Path(__file__).resolve().parents[1] / "wasm" / "python"
FIRST_SEED, LAST_SEED = 0, 100
TIMEOUT_S = 120

NAMES = [
    node.name
    for node in ast.parse((TESTS / "test_loop.py").read_text()).body
    if isinstance(node, ast.AsyncFunctionDef) and node.name.startswith("test_")
]

RUN = """(given) => new Promise((resolve, reject) => {
    const worker = new Worker("/page/loop_worker.js", { type: "module" });
    worker.addEventListener("error", ({ message }) => reject(new Error(message)));
    worker.addEventListener("message", ({ data }) => {
        worker.terminate();
        if (data.error) reject(new Error(data.error));
        else resolve(data.result);
    });
    worker.postMessage(given);
})"""


@pytest.fixture(scope="module")
def outcome(folders: dict[str, Path], chromium: Browser) -> Iterator[dict[str, Any]]:
    """What came of running them all."""
    programs = [sys.executable, "-B", str(TESTS / "programs.py"), str(FIRST_SEED), str(LAST_SEED)]
    traces = subprocess.run(programs, check=True, capture_output=True).stdout
    assets = folders["/web/"] / "assets"
    given = {
        "wheels": [f"/web/assets/{file.name}" for file in sorted(assets.glob("*.whl.xz"))],
        "files": sorted(file.name for file in TESTS.glob("*.py")),
        "traces": "/traces",
    }
    headers = {**ISOLATED, "Content-Security-Policy": POLICY}
    with serving({**folders, "/tests/": TESTS}, headers) as site:
        site.special["/traces"] = lambda: Answer(200, traces, "application/json")
        page = chromium.new_page()
        page.set_default_timeout(TIMEOUT_S * 1000)
        page.goto(f"{site.address}/page/index.html")
        yield page.evaluate(RUN, given)
        page.close()


@pytest.mark.timeout(TIMEOUT_S)
@pytest.mark.parametrize("name", NAMES)
def test_in_a_worker(outcome: dict[str, Any], name: str) -> None:
    assert outcome["failures"].get(name) is None
    assert name in outcome["names"]


def test_it_ran_these_and_no_other(outcome: dict[str, Any]) -> None:
    assert outcome["names"] == NAMES
    assert outcome["passed"] == len(NAMES)
