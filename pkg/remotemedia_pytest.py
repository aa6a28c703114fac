"""The pytest plugin of RemoteMedia; docs/testing.md shows how to use it.

A module of its own: pytest imports its plugins in every run of every project, and that one does not
use this must not wait for RemoteMedia and numpy. What is needed is imported when it is.

* Fixtures: `virtual_clock`, `run_node`, `golden`.
* ``@pytest.mark.virtual_clock`` runs an ``async def`` test on that clock, whatever other plugins
  for asynchronous tests are there.
* ``--update-golden`` writes golden files, and says which.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Coroutine, Generator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from remotemedia.testing import GoldenFolder, NodeResult, VirtualClock

MARK = "virtual_clock"
PROPERTY = "golden written"
_WRITTEN = pytest.StashKey[dict[str, str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--update-golden``."""
    parser.getgroup("remotemedia").addoption(
        "--update-golden",
        action="store_true",
        help="write what the `golden` fixture is given to the golden files, instead of comparing",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.stash[_WRITTEN] = {}
    config.addinivalue_line(
        "markers",
        f"{MARK}: run this 'async def' test on a remotemedia.testing.VirtualClock",
    )


@pytest.hookimpl(wrapper=True, trylast=True)  # so that other plugins see a test that is not async
def pytest_pycollect_makeitem() -> Generator[None, object, object]:
    """Turn marked coroutines into plain tests."""
    made = yield
    for item in made if isinstance(made, list) else [made]:
        if (
            isinstance(item, pytest.Function)
            and item.get_closest_marker(MARK) is not None
            and inspect.iscoroutinefunction(item.obj)
        ):
            item.obj = _on_virtual_clock(item, item.obj)
    return made


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which golden files were written."""
    lines = [
        f"{value} by {report.nodeid}"
        for reports in terminalreporter.stats.values()
        for report in reports
        if getattr(report, "when", None) == "call"
        for name, value in report.user_properties
        if name == PROPERTY
    ]
    if lines:
        terminalreporter.section("golden files written: review them before you commit")
        for line in sorted(lines):
            terminalreporter.line(line)


@pytest.fixture
def virtual_clock() -> VirtualClock:
    """A new `remotemedia.testing.VirtualClock`; a test marked ``virtual_clock`` runs on it."""
    from remotemedia.testing import VirtualClock

    return VirtualClock()


@pytest.fixture
def run_node(virtual_clock: VirtualClock) -> Callable[..., NodeResult]:
    """`remotemedia.testing.run_node` on the `virtual_clock` of this test."""
    from remotemedia.testing import run_node

    return functools.partial(run_node, clock=virtual_clock)


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> GoldenFolder:
    """``golden("name", outputs)`` compares with golden/name.frames beside the test."""
    from remotemedia.testing import GoldenFolder

    config, item = request.config, request.node

    def tell(path: str) -> None:
        item.user_properties.append((PROPERTY, path))

    return GoldenFolder(
        request.path.parent / "golden",
        update=config.getoption("--update-golden"),
        written=config.stash[_WRITTEN],
        test=item.nodeid,
        tell=tell,
    )


def _on_virtual_clock(
    item: pytest.Function, test: Callable[..., Coroutine[object, object, object]]
) -> Callable[..., None]:
    @functools.wraps(test)
    def run(**arguments: Any) -> None:
        from remotemedia.testing import VirtualClock

        own = item.funcargs.get("virtual_clock")
        (own if isinstance(own, VirtualClock) else VirtualClock()).run(test(**arguments))

    return run
