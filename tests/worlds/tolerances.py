"""Reads tolerances.toml: by how much the two worlds may differ, where, and why."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import msgspec

TABLE_FILE = Path(__file__).with_name("tolerances.toml")


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line of the table.

    Attributes
    ----------
    node : str
        A node type by itself, or a node in an example: ``examples/01-speech-segments/loudness``.
    field : str
        ``samples``, or the name of a field of a `Json`; ``*`` stands for any characters.
    unit : str
    tolerance : float
        Greatest difference allowed.
    measured : float
        Greatest difference found, over `values` values with ``--seeds=20``.
    values : int
    cause : str
        Which operation differs.
    """

    node: str
    field: str
    unit: str
    tolerance: float
    measured: float
    values: int
    cause: str

    def covers(self, node: str, field: str) -> bool:
        return node == self.node and fnmatchcase(field, self.field)


def rows(file: Path = TABLE_FILE) -> list[Row]:
    return msgspec.convert(tomllib.loads(file.read_text())["row"], list[Row])


def problems(table: list[Row]) -> Iterator[str]:
    """What is wrong with the table itself."""
    for row in table:
        where = f"{TABLE_FILE.name}: {row.node} {row.field}"
        if not 0 < row.measured <= row.tolerance <= 2 * row.measured:
            yield (
                f"{where}: tolerance {row.tolerance:g} must be 1 to 2 times the measured maximum "
                f"{row.measured:g}"
            )
        if not row.cause.strip() or row.values < 1:
            yield f"{where}: say the cause, and how many values were measured"
