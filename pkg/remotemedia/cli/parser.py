"""The parser of options: an error is one line that says what is wrong and how to go on."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NoReturn

from remotemedia.cli.failure import UsageError
from remotemedia.errors import nearest


class Parser(argparse.ArgumentParser):
    """A parser that raises `UsageError` instead of printing all options."""

    def parse_strictly(self, arguments: Sequence[str]) -> argparse.Namespace:
        """Read all arguments; of an unknown option the error names the nearest."""
        options, unknown = self.parse_known_args(arguments)
        if unknown:
            first = unknown[0].partition("=")[0]
            if not first.startswith("-"):
                self.error(f"{first!r} is one argument too many")
            hint = nearest(first, [*self._option_string_actions])
            self.error(f"unknown option {first}{hint or ''}")
        return options

    def error(self, message: str) -> NoReturn:
        """Refuse the arguments."""
        raise UsageError(f"{message} (see: {self.prog} --help)")
