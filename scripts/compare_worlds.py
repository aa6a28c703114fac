"""Compares what ran natively with what ran inside Pyodide, and closes the test run.

    compare_worlds.py NATIVE_REPORT PYODIDE_REPORT [--partial]

The same tests must have passed in both, less those that tests/unit/one_world.toml lists. With
``--partial`` only some tests were asked for, so that list is not checked for stale entries.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from one_world import LIST_FILE, Entry, entries

Outcomes = dict[str, str]


def read(report: str) -> Outcomes:
    path = Path(report)
    outcomes: Outcomes = json.loads(path.read_text()) if path.is_file() else {}
    return outcomes


def problems(native: Outcomes, pyodide: Outcomes, *, partial: bool) -> Iterator[str]:
    for world, outcomes in [("native", native), ("pyodide", pyodide)]:
        if not outcomes:
            yield f"{world}: no test ran"
        for test, outcome in outcomes.items():
            if outcome == "skipped":
                yield f"{world}: {test} was skipped; list it in {LIST_FILE.name} or make it run"
    yield from one_sided("native", native, pyodide, partial=partial)
    yield from one_sided("pyodide", pyodide, native, partial=partial)


def one_sided(world: str, here: Outcomes, there: Outcomes, *, partial: bool) -> Iterator[str]:
    allowed: list[Entry] = entries(world)
    used = set()
    for test in here:
        matching = [entry for entry in allowed if entry.matches(test)]
        used.update(matching)
        if test not in there and not matching:
            yield f"{test} ran in one world only: {world}"
    if not partial:
        for entry in allowed:
            if entry not in used:
                yield f"{LIST_FILE.name}: no test {entry.id} in {world}; remove the entry"


def closing_line(world: str, outcomes: Outcomes) -> str:
    values = list(outcomes.values())
    return f"{world}: {values.count('passed')} passed, {values.count('failed')} failed"


def main(native_report: str, pyodide_report: str, *options: str) -> int:
    native, pyodide = read(native_report), read(pyodide_report)
    found = list(problems(native, pyodide, partial="--partial" in options))
    for problem in found:
        print(problem)
    both = len(native.keys() & pyodide.keys())
    print(f"{both} tests ran in both worlds, {len(native) - both} natively only")
    print(closing_line("native", native))
    print(closing_line("pyodide", pyodide))
    failed = "failed" in {*native.values(), *pyodide.values()}
    return 1 if found or failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
