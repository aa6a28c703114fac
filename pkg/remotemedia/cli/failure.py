"""Errors of commands, and how any error is told to people."""

from __future__ import annotations

import sys

from remotemedia.cli.terminal import paint
from remotemedia.errors import (
    CapsMismatchError,
    ManifestError,
    Problem,
    RemoteMediaError,
    UnavailableError,
)


class CommandError(RemoteMediaError):
    """A command cannot do its work: exit code 1."""

    code = "command"


class UsageError(RemoteMediaError):
    """A command was called wrongly: exit code 2."""

    code = "usage"


WRONG_BEFORE_RUNNING = (UsageError, ManifestError, CapsMismatchError, UnavailableError)


def explain(error: Exception, debug: bool = False) -> tuple[str, int]:
    """What to print for an error, and the exit code."""
    head = paint("error:", "red", sys.stderr)
    if isinstance(error, ManifestError):
        return manifest_problems(error), 2
    if isinstance(error, RemoteMediaError):
        return f"{head} {error}", 2 if isinstance(error, WRONG_BEFORE_RUNNING) else 1
    if isinstance(error, OSError):
        return f"{head} {os_error(error)}", 1
    hint = "" if debug else "; --debug shows where"
    return (
        f"{head} {type(error).__name__}: {error}\n"
        f"This is a bug in remotemedia or in a plugin{hint}.",
        1,
    )


def os_error(error: OSError) -> str:
    """``FILE: No such file or directory``"""
    reason = error.strerror or str(error)
    return f"{error.filename}: {reason}" if error.filename is not None else reason


def manifest_problems(error: ManifestError) -> str:
    """One line per problem, as compilers print them."""
    head = paint("error:", "red", sys.stderr)
    lines = [
        f"{place(problem, error.source)}: {head} {problem.message}" for problem in error.problems
    ]
    count = len(lines)
    return "\n".join([*lines, f"{error.source}: {count} problem{'s' if count != 1 else ''}"])


def place(problem: Problem, source: str) -> str:
    """``file:line:column``, or what is known of it."""
    if problem.line is not None:
        return f"{source}:{problem.line}:{problem.column}"
    return f"{source}: {problem.where}" if problem.path else source


def warn(message: str) -> None:
    """Print a warning."""
    print(f"{paint('warning:', 'yellow', sys.stderr)} {message}", file=sys.stderr)


def note(message: str) -> None:
    """Print what is worth knowing, and nothing wrong."""
    print(f"{paint('note:', 'cyan', sys.stderr)} {message}", file=sys.stderr)
