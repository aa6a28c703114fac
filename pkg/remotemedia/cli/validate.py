"""Check manifests without running them.

Every problem is printed as FILE:LINE:COLUMN: message. Exit code 2 if there is any. With --fix what
the messages suggest is done to the file first; its comments and its order stay as they are.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

import msgspec

from remotemedia.cli.commands import BUILT_IN
from remotemedia.cli.failure import place
from remotemedia.cli.loading import read_source
from remotemedia.cli.terminal import paint
from remotemedia.errors import ManifestError, Problem
from remotemedia.pipeline import Pipeline

SUMMARY = BUILT_IN["validate"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("manifests", metavar="MANIFEST", nargs="+", help="files; - for stdin")
    parser.add_argument("--format", choices=("text", "json"), default="text")
    parser.add_argument(
        "--fix", action="store_true", help="mend the files; of stdin the mended text goes to stdout"
    )
    parser.add_argument("--strict", action="store_true", help="warnings count as problems")


def run(options: argparse.Namespace) -> int:
    """Do it."""
    failed = False
    reports = []
    for source in options.manifests:
        if options.fix:
            if source == "-":
                return _fix_stdin()
            _fix_file(source)
        name, problems, warnings, pipeline = check(source)
        failed |= bool(problems) or (options.strict and bool(warnings))
        if options.format == "json":
            reports.append(
                {
                    "manifest": name,
                    "valid": not problems,
                    "problems": [_plain(problem) for problem in problems],
                    "warnings": [_plain(problem) for problem in warnings],
                }
            )
            continue
        for kind, colour, found in (("error:", "red", problems), ("warning:", "yellow", warnings)):
            for problem in found:
                head = paint(kind, colour, sys.stdout)
                print(f"{place(problem, name)}: {head} {problem.message}")
        if pipeline is not None:
            graph = pipeline.graph
            size = f"{_count(len(graph.nodes), 'node')}, {_count(len(graph.edges), 'connection')}"
            print(f"{name}: {paint('valid', 'green', sys.stdout)}, {size}")
    if options.format == "json":
        print(msgspec.json.format(msgspec.json.encode(reports), indent=2).decode())
    return 2 if failed else 0


def _fix_file(source: str) -> None:
    path = Path(source).resolve()  # a link stays one
    try:
        text = path.read_bytes().decode("utf-8")
    except (OSError, UnicodeError):
        return  # checking it says why
    mended = _fixed(text, source)
    if mended != text:
        making = path.with_name(f"{path.name}.making")
        making.write_bytes(mended.encode("utf-8"))
        shutil.copymode(path, making)
        making.replace(path)


def _fix_stdin() -> int:
    from remotemedia.cli.fixing import problems_of

    text = _fixed(sys.stdin.read(), "stdin")
    print(text, end="")
    problems = problems_of(text, "stdin")
    for problem in problems:
        print(f"{place(problem, 'stdin')}: error: {problem.message}", file=sys.stderr)
    return 2 if problems else 0


def _fixed(text: str, name: str) -> str:
    from remotemedia.cli.fixing import fix

    mended, done, failed = fix(text, name)
    for one in done:
        print(f"{name}: {paint('fixed:', 'green', sys.stderr)} {one}", file=sys.stderr)
    for one in failed:
        print(f"{name}: {paint('not fixed:', 'yellow', sys.stderr)} {one}", file=sys.stderr)
    return mended


Problems = tuple[Problem, ...]


def check(source: str) -> tuple[str, Problems, Problems, Pipeline | None]:
    """Name, problems, warnings, and the pipeline if there are no problems."""
    text, name = read_source(source)
    name = name or source
    try:
        pipeline = Pipeline.load(text, name=name)
        warnings = pipeline.validate()
    except ManifestError as error:
        return name, error.problems, (), None
    return name, (), warnings, pipeline


def _plain(problem: Problem) -> dict[str, object]:
    return {
        "line": problem.line,
        "column": problem.column,
        "path": list(problem.path),
        "message": problem.message,
        "fixes": [msgspec.to_builtins(fix) for fix in problem.fixes],
    }


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' if number != 1 else ''}"
