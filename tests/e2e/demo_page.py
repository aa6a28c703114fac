"""The web app as a person uses it: served by the real command, its parts found by their test ids."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import ConsoleMessage, Locator, Page, Response, expect

REPOSITORY = Path(__file__).resolve().parents[2]
COMMAND = Path(sys.executable).with_name("remotemedia")
SITE = Path(os.environ.get("REMOTEMEDIA_WEB_SITE") or REPOSITORY / "build" / "web")
SCREENSHOTS = REPOSITORY / "build" / "screenshots"

WATCH = """
window.violations = [];
addEventListener("securitypolicyviolation", ({ effectiveDirective, blockedURI }) =>
    window.violations.push(`${effectiveDirective} ${blockedURI}`));
"""


@contextmanager
def running(*command: str | Path) -> Iterator[str]:
    """Start a server that prints its address; gives that, and ends the server at the end."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY)
    assert process.stdout is not None
    with process, process.stdout:
        try:
            line = process.stdout.readline()
            found = re.search(r"http://[^\s)]+", line)
            assert found, f"{command} printed {line!r}"
            yield found[0]
        finally:
            process.terminate()  # not Ctrl-C, which whoever runs in the background ignores
            process.wait(20)


def web(manifest: Path, *options: str) -> tuple[str | Path, ...]:
    """The command line that serves a page for a manifest, at a port that is free."""
    return (COMMAND, "web", manifest, "--port", "0", *options)


class Demo:
    """One tab with the app in it; keeps everything that goes wrong in it.

    Parameters
    ----------
    page : Page
    expected : str, optional
        Pattern of warnings that the test provokes.
    """

    def __init__(self, page: Page, expected: str | None = None) -> None:
        self.page = page
        self._expected = expected
        self.problems: list[str] = []
        page.add_init_script(WATCH)
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.problems.append(f"uncaught: {error}"))
        page.on("dialog", lambda dialog: self.problems.append(f"dialog: {dialog.message}"))
        page.on("response", self._response)

    def _console(self, message: ConsoleMessage) -> None:
        expected = self._expected and re.search(self._expected, message.text, re.DOTALL)
        if message.type == "error" or (message.type == "warning" and not expected):
            self.problems.append(f"console {message.type}: {message.text}")

    def _response(self, response: Response) -> None:
        if response.status >= 400:
            self.problems.append(f"HTTP {response.status}: {response.url}")

    def check(self) -> None:
        """Nothing may have gone wrong: no error, no warning, no dialog, no violation of the policy."""
        found = [*self.problems, *self.page.evaluate("window.violations")]
        assert not found, "\n".join(found)

    # -- what a person does ------------------------------------------------------------------------

    def open(self, address: str, query: str = "") -> None:
        self.page.goto(f"{address}{query}")
        self.wait("loaded")

    def choose(self, example: str, source: str) -> None:
        self.part("example-select").select_option(example)
        self.wait("loaded")
        self.part("input-select").select_option(source)

    def start(self) -> None:
        self.part("start").click()

    def run_clip(self, example: str) -> None:
        """Run the recording through an example, as fast as it goes."""
        self.choose(example, "clip")
        self.part("pace-select").select_option("fast")
        self.start()
        self.wait("finished")

    def write(self, manifest: str) -> None:
        self.part("editor").fill(manifest)

    def write_source(self, source: str) -> None:
        self.page.get_by_role("tab", name="Python").click()
        self.part("source-editor").fill(source)
        self.part("apply").click()

    def download(self, name: str, folder: Path) -> Path:
        with self.page.expect_download() as started:
            self.part(name).click()
        file = folder / started.value.suggested_filename
        started.value.save_as(file)
        return file

    # -- what a person sees ------------------------------------------------------------------------

    def part(self, name: str) -> Locator:
        return self.page.get_by_test_id(name)

    def wait(self, state: str) -> None:
        expect(self.part("state")).to_have_attribute("data-state", state)

    def segments(self) -> list[tuple[int, int]]:
        """Where the marked segments begin and end, µs."""
        marks = self.part("segment").all()
        pairs = [
            (mark.get_attribute("data-start"), mark.get_attribute("data-end")) for mark in marks
        ]
        return [(int(start or -1), int(end or -1)) for start, end in pairs]

    def rows(self) -> list[Sequence[str]]:
        """The table of segments, as it is written."""
        table = self.page.get_by_role("region", name="Segments").locator("tbody tr")
        return [row.locator("td").all_inner_texts() for row in table.all()]

    def photograph(self, name: str, *, whole: bool = True) -> None:
        """Keep a picture of the page, or of what is on the screen, for people to look at."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        file = SCREENSHOTS / f"{name}.png"
        self.page.screenshot(path=file, full_page=whole, animations="disabled")
