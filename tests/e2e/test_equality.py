"""Native and browser outputs of every example are equal, within the table of tolerances."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import native_run
import pytest
from e2e_site import Site
from firefox import Firefox
from playwright.sync_api import Page

REPOSITORY = Path(__file__).resolve().parents[2]
EXAMPLES = sorted(path.parent.name for path in REPOSITORY.glob("examples/*/pipeline.yaml"))
RECORDING = "two_cities.wav"

Open = Callable[..., Page]


def compare(site: Site, example: str, answer: dict[str, object]) -> None:
    page = native_run.frames(site.posted["/posted"])
    assert len(page) == answer["count"] == answer["frames"]
    manifest = REPOSITORY / "examples" / example / "pipeline.yaml"
    recording = site.find(f"/recordings/{RECORDING}")
    assert recording is not None
    native = native_run.run(manifest, native_run.blocks(recording.read_bytes()))
    assert len(native) > 1_000
    assert native_run.differences(f"examples/{example}", native, page) == []


@pytest.mark.parametrize("example", EXAMPLES)
@pytest.mark.parametrize("query", ["", "?link=transferred"])
def test_in_chromium(site: Site, open_page: Open, example: str, query: str) -> None:
    page = open_page(site, query)
    answer = page.evaluate(
        "([manifest, file]) => window.runFile(manifest, file, '/posted')",
        [f"/examples/{example}/pipeline.yaml", f"/recordings/{RECORDING}"],
    )
    assert answer["link"] == ("transferred" if query else "shared")
    compare(site, example, answer)


@pytest.mark.parametrize("example", EXAMPLES)
def test_without_isolation_in_chromium(plain_site: Site, open_page: Open, example: str) -> None:
    page = open_page(plain_site)
    answer = page.evaluate(
        "([manifest, file]) => window.runFile(manifest, file, '/posted')",
        [f"/examples/{example}/pipeline.yaml", f"/recordings/{RECORDING}"],
    )
    assert answer["link"] == "transferred"
    compare(plain_site, example, answer)


@pytest.mark.parametrize("example", EXAMPLES)
def test_in_firefox(site: Site, firefox: Firefox, example: str) -> None:
    firefox.open(site)
    answer = firefox.call(
        "window.runFile",
        f"/examples/{example}/pipeline.yaml",
        f"/recordings/{RECORDING}",
        "/posted",
    )
    assert answer["link"] == "shared"
    compare(site, example, answer)
