"""Apps of users: the package as npm installs it, under Vite and without a bundler."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import consumer_app
import pytest
from e2e_site import ISOLATED, POLICY, TYPES, Answer, serving
from playwright.sync_api import BrowserContext, ConsoleMessage, Route, expect

SHARED, TRANSFERRED = "shared", "transferred"
HEADERS = {SHARED: ISOLATED, TRANSFERRED: {}}
FRAMES = 16_000
PEAK = "0.25"  # of amplitude ½, 6 dB down


@pytest.fixture(scope="module")
def package(folders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return consumer_app.pack(folders["/web/"], tmp_path_factory.mktemp("package"))


@pytest.fixture(scope="module")
def app(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return consumer_app.install(package, tmp_path_factory.mktemp("app") / "app")


@pytest.fixture(scope="module")
def built(app: Path) -> Path:
    return consumer_app.build(app)


def under_policy(link: str) -> Mapping[str, str]:
    return {**HEADERS[link], "Content-Security-Policy": POLICY}


def is_told(message: ConsoleMessage) -> bool:
    """Whether it is an error; no page here has the icon that browsers ask for."""
    return message.type == "error" and "favicon" not in message.location["url"]


def look(context: BrowserContext, address: str, link: str) -> list[str]:
    """Open a page, expect its result; gives every address that it asked for."""
    page = context.new_page()
    problems: list[str] = []
    asked: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text) if is_told(message) else None)
    page.on("requestfinished", lambda request: asked.append(request.url))
    page.goto(address)
    expect(page).to_have_title(re.compile("frames|failed"))
    assert page.title() == f"{FRAMES} frames, peak {PEAK}, {link}"
    assert problems == []
    page.close()
    return asked


@pytest.mark.parametrize("link", [SHARED, TRANSFERRED])
def test_a_page_without_a_bundler(
    context: BrowserContext, folders: dict[str, Path], package: Path, link: str
) -> None:
    served = {
        **folders,
        "/web/": package / "dist",
        "/plain/": consumer_app.FIXTURES / "plain",
    }
    with serving(served, under_policy(link)) as site:
        look(context, f"{site.address}/plain/index.html", link)


@pytest.mark.parametrize("link", [SHARED, TRANSFERRED])
def test_an_app_that_vite_built(
    context: BrowserContext, folders: dict[str, Path], built: Path, link: str
) -> None:
    served = {"/": built, "/pyodide/": folders["/pyodide/"]}
    with serving(served, under_policy(link)) as site:
        asked = look(context, f"{site.address}/index.html", link)
        assert not [path for path in asked if path.startswith("data:")]
        wheels = [path for path in site.requests if ".whl" in path and "/assets/" in path]
        # Ours, that for nodes in workers, msgspec and PyYAML: the bundler has found and copied them.
        assert len(wheels) == 4


@pytest.mark.parametrize("link", [SHARED, TRANSFERRED])
def test_an_app_under_the_development_server(
    context: BrowserContext, folders: dict[str, Path], app: Path, link: str
) -> None:
    public = app / "public"
    public.mkdir(exist_ok=True)
    pyodide = public / "pyodide"
    if not pyodide.exists():
        pyodide.symlink_to(folders["/pyodide/"])
    with consumer_app.developing(app, under_policy(link)) as address:
        look(context, f"{address}/", link)


LEVEL = """
version: v1
nodes:
  - {id: level, node_type: AudioLevel, params: {interval_ms: 250}}
"""
PAGE = b'<!doctype html><button>start</button><script type="module" src="snippet.js"></script>'


@pytest.mark.parametrize("readme", ["README.md", "wasm/README.md"])
def test_what_the_readmes_begin_with(
    context: BrowserContext, folders: dict[str, Path], readme: str
) -> None:
    text = (consumer_app.REPOSITORY / readme).read_text(encoding="utf-8")
    snippet = re.findall(r"^```ts\n(.*?)^```", text, re.DOTALL | re.MULTILINE)[0]
    assert snippet.count("@remotemedia/web") == 1
    script = snippet.replace("@remotemedia/web", "/web/index.js").encode()

    def stand_in_for_the_cdn(route: Route) -> None:
        file = folders["/pyodide/"] / route.request.url.rpartition("/")[2]
        headers = {"Access-Control-Allow-Origin": "*"}
        route.fulfill(body=file.read_bytes(), content_type=TYPES.get(file.suffix), headers=headers)

    context.route("**/pyodide/v*/full/*", stand_in_for_the_cdn)
    with serving({"/web/": folders["/web/"]}, ISOLATED) as site:
        site.special["/page.html"] = lambda: Answer(200, PAGE, "text/html")
        site.special["/snippet.js"] = lambda: Answer(200, script, "text/javascript")
        site.special["/pipeline.yaml"] = lambda: Answer(200, LEVEL.encode(), "text/yaml")
        page = context.new_page()
        page.goto(f"{site.address}/page.html")
        reports: list[dict[str, float | None] | str] = []
        page.on("console", lambda message: reports.append(message.args[-1].json_value()))
        page.click("button")
        # Chromium's simulated microphone beeps once a second, and is silent in between.
        while not any(isinstance(each, dict) and each["rms_dbfs"] for each in reports):
            page.wait_for_event("console")
        measured = [each for each in reports if isinstance(each, dict)]
        places = [(each["start_sample"], each["end_sample"]) for each in measured]
        assert places[0][0] == 0
        assert all(before[1] == after[0] for before, after in pairwise(places))
        page.close()


def test_what_is_published(package: Path) -> None:
    files = {str(file.relative_to(package)) for file in package.rglob("*") if file.is_file()}
    tops = {name.split("/")[0] for name in files}
    assert tops == {"package.json", "README.md", "LICENSE", "dist"}
    ours = consumer_app.REPOSITORY / "LICENSE"
    assert (package / "LICENSE").read_bytes() == ours.read_bytes()
    about = json.loads((package / "package.json").read_text())
    assert about["types"] in {f"./{name}" for name in files}
    for target in about["exports"].values():
        for path in [target] if isinstance(target, str) else target.values():
            assert "*" in path or path.removeprefix("./") in files
    # Every file that the JavaScript names by URL, every module that the types name, every source map.
    for script in package.glob("dist/*.js"):
        text = script.read_text()
        for name in re.findall(r'new URL\("\./([^"]+)",\s*import\.meta\.url\)', text):
            assert f"dist/{name}" in files
        (source_map,) = re.findall(r"sourceMappingURL=(\S+)", text)
        assert f"dist/{source_map}" in files
    for declaration in package.glob("dist/**/*.d.ts"):
        for name in re.findall(r'from "(\.{1,2}/[^"]+)"', declaration.read_text()):
            module = (declaration.parent / name).resolve().with_suffix(".d.ts")
            assert module.is_file(), f"{declaration.name}: {name}"


def test_types_as_an_app_sees_them(app: Path) -> None:
    tsc = consumer_app.TOOLS / "typescript" / "bin" / "tsc"
    consumer_app.run("node", tsc, "-p", app, cwd=app)
