"""Set-up for all tests, in CPython and in Pyodide alike.

* ``async def`` tests run on a fresh `VirtualClock`; the `clock` fixture is that clock.
* Tests that one_world.toml gives to the other world are left out.
* Hypothesis draws the same examples on every run.
* With ``--wheel FILE`` the run is refused unless the `remotemedia` under test is that wheel's.
* With ``--report FILE`` the outcome of every test id is written as JSON.
* With ``--outputs FILE`` worlds/test_outputs.py keeps there what nodes and examples give out.
"""

from __future__ import annotations

import base64
import csv
import functools
import hashlib
import inspect
import io
import json
import os
import sys
import zipfile
from pathlib import Path

import hypothesis
import pytest

import remotemedia
from remotemedia.testing import VirtualClock

sys.path.insert(0, str(Path(__file__).parent))
from one_world import entries

OTHER_WORLD = "native" if sys.platform == "emscripten" else "pyodide"

hypothesis.settings.register_profile(
    "remotemedia",
    derandomize=True,
    database=None,
    deadline=None,  # speed is measured in bench/, never asserted
    print_blob=False,
)
hypothesis.settings.load_profile("remotemedia")


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    group = parser.getgroup("remotemedia")
    group.addoption("--wheel", type=Path, help="the wheel that must be what is tested")
    group.addoption("--report", type=Path, help="write {test id: outcome} here as JSON")
    group.addoption("--outputs", type=Path, help="write the packets of all nodes and examples here")
    group.addoption(
        "--seeds", type=int, default=1, help="run each of these nodes on so many inputs"
    )
    group.addoption(
        "--recording",
        type=Path,
        action="append",
        default=[],
        help="run the examples on this WAV too",
    )
    if not pluginmanager.hasplugin("timeout"):
        # Pyodide has no timers for signals: there the Node runner watches every test.
        parser.addini("timeout", "seconds per test; enforced by the runner in this world")


def pytest_configure(config: pytest.Config) -> None:
    os.environ["REMOTEMEDIA_MODELS"] = str(models_folder())
    wheel: Path | None = config.getoption("--wheel")
    if wheel is not None:
        wrong = difference_from_wheel(Path(remotemedia.__file__).parent, wheel)
        if wrong:
            raise pytest.UsageError(f"what is tested is not {wheel}: {wrong}")
    report: Path | None = config.getoption("--report")
    if report is not None:
        config.pluginmanager.register(Report(report))


def models_folder() -> Path:
    """The model files that tests need, each in the folder of its model."""
    repository = Path(__file__).parents[1]
    if sys.platform == "emscripten":
        return repository / "build" / "models"  # where scripts/test puts them
    import subprocess

    script = repository / "scripts" / "fetch_models.py"
    done = subprocess.run([sys.executable, script], check=True, stdout=subprocess.PIPE, text=True)
    return Path(done.stdout.strip())


def pytest_report_header() -> str:
    return f"remotemedia: {Path(remotemedia.__file__).parent}"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    # Before the import, which may be what is impossible here.
    path = collection_path.relative_to(config.rootpath).as_posix()
    return True if any(entry.id == path for entry in entries(OTHER_WORLD)) else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    elsewhere = entries(OTHER_WORLD)
    left_out = [item for item in items if any(entry.matches(item.nodeid) for entry in elsewhere)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def difference_from_wheel(package: Path, wheel: Path) -> str:
    """How the imported package differs from the installed wheel's; empty if it does not."""
    if package.parent.name != "site-packages":
        return f"{package} is not an installed package"
    with zipfile.ZipFile(wheel) as archive:
        record_name = next(name for name in archive.namelist() if name.endswith("/RECORD"))
        record = archive.read(record_name).decode()
    expected = {
        name: digest.removeprefix("sha256=")
        for name, digest, _ in csv.reader(io.StringIO(record))
        if name.startswith(f"{package.name}/")
    }
    for name, digest in expected.items():
        path = package.parent / name
        if not path.is_file():
            return f"{path} is missing"
        actual = hashlib.sha256(path.read_bytes()).digest()
        if base64.urlsafe_b64encode(actual).rstrip(b"=").decode() != digest:
            return f"{path} is another"
    found = {path.relative_to(package.parent).as_posix() for path in package.rglob("*.py")}
    extra = sorted(found - expected.keys())
    return f"{package.parent / extra[0]} is not in it" if extra else ""


class Report:
    """Writes what happened to every collected test."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.outcomes: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        # The worst of set-up, call and tear-down; a test that only passes has three of them.
        if report.outcome != "passed" or report.when == "call":
            self.outcomes[report.nodeid] = report.outcome

    def pytest_sessionfinish(self) -> None:
        self.path.write_text(json.dumps(self.outcomes, indent=1))


@pytest.fixture
def clock() -> VirtualClock:
    """The clock on whose loop an ``async def`` test runs; for others, a clock to drive by hand."""
    return VirtualClock()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    test = pyfuncitem.obj
    inner = getattr(getattr(test, "hypothesis", None), "inner_test", None)
    if inner is not None:
        if inspect.iscoroutinefunction(inner):
            test.hypothesis.inner_test = on_virtual_clock(inner)
        return None
    if not inspect.iscoroutinefunction(test):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    own = arguments.get("clock")
    (own if isinstance(own, VirtualClock) else VirtualClock()).run(test(**arguments))
    return True


def on_virtual_clock(test):
    """Give each example that hypothesis draws its own clock and loop."""

    @functools.wraps(test)
    def run(*args: object, **kwargs: object) -> None:
        VirtualClock().run(test(*args, **kwargs))

    return run
