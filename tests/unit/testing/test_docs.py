"""The snippets of docs/testing.md pass as tests."""

from __future__ import annotations

import inspect
import re
import runpy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import remotemedia as rm
from remotemedia.recording import Recorder
from remotemedia.testing import GoldenFolder, VirtualClock, signals
from remotemedia.testing import run_node as run_node_on

PAGE = Path(__file__).parents[3] / "docs" / "testing.md"
TEXT = PAGE.read_text(encoding="utf-8")
SNIPPETS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


def snippet_tests() -> Iterator[Any]:
    for number, snippet in enumerate(SNIPPETS):
        names = re.findall(r"^(?:async )?def (test_\w+)", snippet, re.MULTILINE)
        assert names, f"snippet {number} has no test"
        for name in names:
            yield pytest.param(number, name, id=name)


@pytest.fixture
def offered(tmp_path: Path) -> Callable[[str], object]:
    """The fixtures of the plugin, which these runs may not have loaded."""
    clock = VirtualClock()

    def golden(name: str, outputs: Any, **options: Any) -> None:
        for update in (True, False):
            GoldenFolder(tmp_path, update=update, written={}, test="", tell=str)(
                name, outputs, **options
            )

    def run_node(*arguments: Any, **options: Any) -> object:
        return run_node_on(*arguments, clock=clock, **options)

    return {
        "virtual_clock": clock,
        "golden": golden,
        "run_node": run_node,
        "take": str(recorded(tmp_path / "take.rmrec")),
    }.__getitem__


def recorded(path: Path) -> Path:
    """The recording of a session."""
    p = rm.Pipeline()
    p.add("Gain", id="loud", gain_db=6)
    clock = VirtualClock()

    async def record() -> None:
        with path.open("wb") as file:
            recorder = Recorder(file, p.to_dict(), clock)
            async with p.session(clock=clock) as session:
                recorder.attach(session)
                tone = signals.tone(440, seconds=0.1)
                _ = [packet async for packet in session.stream(signals.blocks(tone, ms=20))]
            recorder.close()

    clock.run(record())
    return path


@pytest.mark.parametrize(("number", "name"), list(snippet_tests()))
def test_snippet(number: int, name: str, offered: Callable[[str], Any], tmp_path: Path) -> None:
    path = tmp_path / "snippet.py"
    # The mark is the plugin's, which registers it.
    code = SNIPPETS[number].replace("@pytest.mark.virtual_clock\n", "")
    path.write_text(code, encoding="utf-8")
    test = runpy.run_path(str(path))[name]
    given = {argument: offered(argument) for argument in inspect.signature(test).parameters}
    result = test(**given)
    if inspect.iscoroutine(result):
        given["virtual_clock"].run(result)


def test_the_page_names_what_there_is() -> None:
    from remotemedia import testing

    missing = {name for name in testing.__all__ if name not in TEXT}
    assert missing == {"GoldenFolder", "NodeResult"}  # what is given, not made
    named = re.findall(r"`(?:signals\.)?(\w+)`", TEXT.split("## Signals")[1].split("## Compar")[0])
    assert len(named) > 8
    assert [
        name for name in named if not hasattr(testing.signals, name) and name != "signals"
    ] == []
