"""The command line. One file per command; what is heavy is imported inside it.

Exit codes: 0 done · 1 the data or the pipeline failed · 2 the command or the manifest is wrong ·
130 interrupted (Ctrl-C), 143 terminated · 141 whoever read the output went away.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from remotemedia.cli.commands import BUILT_IN, Command, find, plugins

if TYPE_CHECKING:
    from remotemedia.cli.parser import Parser

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130
EXIT_PIPE = 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; gives the exit code.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the program's name; by default those of the process.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")  # as stderr is: some locales lack µ
    try:
        return _dispatch([one for one in arguments if one != "--debug"])
    except SystemExit as stop:  # of argparse
        return stop.code if isinstance(stop.code, int) else EXIT_USAGE
    except BrokenPipeError:
        _silence_stdout()
        return EXIT_PIPE
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except Exception as error:
        if debug:
            import traceback

            traceback.print_exc()
        return _explain(error, debug)


def _dispatch(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        if len(arguments) > 1 and arguments[0] == "help":
            return _dispatch([arguments[1], "--help"])
        _print_help()
        return 0
    if arguments[0] in ("-V", "--version"):
        import remotemedia

        print(f"remotemedia {remotemedia.__version__}")
        return 0
    if arguments[0].startswith("-"):
        from remotemedia.cli.failure import UsageError

        raise UsageError(
            f"unknown option {arguments[0]} before a command (see: remotemedia --help)"
        )
    name, *rest = arguments
    command = find(name)
    options = parser_of(name, command).parse_strictly(rest)
    return command.run(options)


def parser_of(name: str, command: Command) -> Parser:
    """The parser of one command."""
    import argparse

    from remotemedia.cli.parser import Parser

    parser = Parser(
        prog=f"remotemedia {name}",
        description=command.__doc__ or command.SUMMARY,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    command.add_arguments(parser)
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return parser


def _print_help() -> None:
    rows = dict(BUILT_IN)
    for name, plugin in plugins().items():
        try:
            rows.setdefault(name, plugin.load().SUMMARY)
        except Exception as error:
            rows.setdefault(name, f"cannot be loaded: {type(error).__name__}: {error}")
    width = max(map(len, rows))
    lines = [f"  {name:<{width}}  {summary}" for name, summary in rows.items()]
    print(
        "usage: remotemedia COMMAND [options]\n\n"
        "One media pipeline, written once, for the browser tab and the server.\n\n"
        "commands:\n" + "\n".join(lines) + "\n\n"
        "remotemedia COMMAND --help tells more; remotemedia --version; --debug shows tracebacks."
    )


def _explain(error: Exception, debug: bool) -> int:
    """Print one error for people; gives the exit code."""
    from remotemedia.cli.failure import explain

    text, code = explain(error, debug)
    print(text, file=sys.stderr)
    return code


def _silence_stdout() -> None:
    """Keep the interpreter from complaining that it cannot flush what nobody reads."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
    except (OSError, ValueError):
        pass
