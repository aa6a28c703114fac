"""The Python example of the README runs and prints what it should."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import pytest

README = Path(__file__).parents[2] / "README.md"


SNIPPETS = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


def test_the_example_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "example.py"
    path.write_text(SNIPPETS[0], encoding="utf-8")
    runpy.run_path(str(path))
    lines = capsys.readouterr().out.splitlines()
    # One second of a tone of amplitude ½ comes out of the resampler in one block and a tail.
    assert [line.split()[:2] for line in lines] == [["peak", "0"]] * len(lines)
    peak = max(float(line.split()[-1].rstrip("}")) for line in lines)
    assert peak == pytest.approx(0.5, abs=0.005)


async def test_the_live_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """On the loop that is running: a page, as this test in Pyodide, cannot start another."""
    assert len(SNIPPETS) == 2
    snippet, call = SNIPPETS[1].split("\n\nasyncio.run(")
    assert call == "main())\n"
    names: dict[str, Any] = {}
    exec(compile(snippet, "README.md", "exec", dont_inherit=True), names)  # noqa: S102 - ours
    await names["main"]()
    # 20 dB are ten times; after the interrupt nothing of the two blocks is left.
    assert capsys.readouterr().out.splitlines() == [
        "louder by 1.0",
        "louder by 10.0",
        "0 packets, 2 blocks heard",
    ]


def test_every_folder_in_the_map_exists() -> None:
    text = README.read_text(encoding="utf-8")
    rows = re.findall(r"^\| (.*?) \|", text.split("## Where things are")[1], re.MULTILINE)
    named = [path for row in rows for path in re.findall(r"`([^`]+)`", row)]
    roots = [README.parent, README.parent / "pkg" / "remotemedia"]
    missing = [path for path in named if not any((root / path).exists() for root in roots)]
    assert missing == []
