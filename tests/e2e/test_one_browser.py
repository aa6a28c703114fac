"""Which tests run in one browser only is written down, with reasons, and stays true."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

FOLDER = Path(__file__).parent
LIST_FILE = FOLDER / "one_browser.toml"


def fixtures_by_test() -> dict[str, set[str]]:
    """The fixtures that each test takes, by its id."""
    found = {}
    for file in sorted(FOLDER.glob("test_*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                taken = {argument.arg for argument in node.args.args}
                found[f"tests/e2e/{file.name}::{node.name}"] = taken
    return found


def covers(entry: str, test: str) -> bool:
    return test == entry or test.startswith(f"{entry}::")


def test_the_list_is_true() -> None:
    entries = tomllib.loads(LIST_FILE.read_text())["chromium_only"]
    for entry in entries:
        assert entry.keys() == {"id", "reason"}
        assert len(entry["reason"]) > 10, entry["id"]
    ids = [entry["id"] for entry in entries]
    assert len(set(ids)) == len(ids)
    everything = fixtures_by_test()
    stale = [entry for entry in ids if not any(covers(entry, test) for test in everything)]
    assert stale == [], f"{LIST_FILE.name}: no such test"
    in_firefox = {test for test, taken in everything.items() if "firefox" in taken}
    listed = {test for test in everything if any(covers(entry, test) for entry in ids)}
    assert in_firefox & listed == set(), "these run in Firefox: take them off the list"
    assert everything.keys() - in_firefox - listed == set(), "run these in Firefox, or say why not"


def test_firefox_runs_every_example() -> None:
    assert "tests/e2e/test_equality.py::test_in_firefox" in fixtures_by_test()
