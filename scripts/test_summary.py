"""Closes a test run: one line for each suite, and the total.

    test_summary.py FOLDER SUITE...

``FOLDER/SUITE.end`` has the exit status and the seconds of a suite. What its tests did is in
``SUITE.xml`` (JUnit, by pytest), ``SUITE.json`` (outcome by test, or by vitest) or ``SUITE.txt``
(its last line says ``N passed, N failed``). A suite that did not run, ran no test or skipped one
has failed. Of the tests that failed, the last words of the first ones come first.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path
from xml.etree import ElementTree

# What tests print goes into reports as it is; XML allows no control characters.
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
NOT_PASSED = ("failure", "error", "skipped")
FAILURES_SHOWN = 10
WORDS_SHOWN = 1200


@dataclass
class Suite:
    """What came of one suite."""

    name: str
    passed: int = 0
    failed: int = 0
    seconds: int = 0
    remark: str = ""
    failures: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.name}: {self.passed} passed, {self.failed} failed"


def read(folder: Path, name: str) -> Suite:
    """What the files of a suite say."""
    suite = Suite(name)
    end, report = folder / f"{name}.end", find_report(folder, name)
    if not end.is_file():
        return Suite(name, failed=1, remark="did not run")
    status, suite.seconds = map(int, end.read_text().split())
    if report is not None:
        try:
            outcomes = list(outcomes_of(report))
        except (ValueError, LookupError, ElementTree.ParseError) as error:
            return Suite(name, failed=1, remark=f"wrote {report.name}, which is broken: {error}")
        suite.failures = [outcome for outcome in outcomes if outcome is not None]
        suite.failed = len(suite.failures)
        suite.passed = len(outcomes) - suite.failed
    if status and not suite.failed:
        suite.failed, suite.remark = 1, f"ended with status {status}"
    elif not suite.passed and not suite.failed:
        suite.failed, suite.remark = 1, "ran no test"
    return suite


def find_report(folder: Path, name: str) -> Path | None:
    candidates = (folder / f"{name}.{kind}" for kind in ("xml", "json", "txt"))
    return next((file for file in candidates if file.is_file()), None)


def outcomes_of(report: Path) -> Iterable[str | None]:
    """Of every test: None if it passed, else its name and its last words."""
    text = report.read_text(errors="replace")
    if report.suffix == ".xml":
        for test in ElementTree.fromstring(CONTROL.sub("", text)).iter("testcase"):
            ends = [end for kind in NOT_PASSED for end in test.findall(kind)]
            said = "\n".join(end.text or end.get("message") or "" for end in ends)
            name = f"{test.get('classname')}::{test.get('name')}"
            yield f"{name}\n{said[-WORDS_SHOWN:]}" if ends else None
    elif report.suffix == ".json":
        content = json.loads(text)
        if "testResults" in content:
            outcomes = [
                (test["fullName"], test["status"])
                for file in content["testResults"]
                for test in file["assertionResults"]
            ]
        else:
            outcomes = list(content.items())
        for name, outcome in outcomes:
            yield None if outcome == "passed" else f"{name}: {outcome}"
    elif found := re.findall(r"(\d+) passed, (\d+) failed", text):
        passed, failed = map(int, found[-1])
        yield from repeat(None, passed)
        yield from repeat("its words are above", failed)


def main(folder: str, *names: str) -> int:
    suites = [read(Path(folder), name) for name in names]
    failures = [f"{suite.name}: {said}" for suite in suites for said in suite.failures]
    for said in failures[:FAILURES_SHOWN]:
        print("failed in", said)
    print("seconds:", ", ".join(f"{suite.name} {suite.seconds}" for suite in suites))
    for suite in suites:
        if suite.remark:
            print(f"{suite.name} {suite.remark}")
    for suite in suites:
        print(suite)
    total = Suite("total", sum(s.passed for s in suites), sum(s.failed for s in suites))
    print(total)
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
