"""Tolerance: by how much a field of an output may be off."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from os import PathLike
from pathlib import Path
from typing import NamedTuple

import msgspec


class Tolerance(msgspec.Struct, frozen=True):
    """By how much numbers may be off. If both are given, it is enough to keep one.

    Attributes
    ----------
    absolute : float
        Greatest difference of one number, in the unit of the field.
    snr_db : float, optional
        For arrays: least ratio of the power of what is expected to that of the difference, within
        one item, dB.
    """

    absolute: float = 0.0
    snr_db: float | None = None

    def __str__(self) -> str:
        snr = "" if self.snr_db is None else f"SNR ≥ {self.snr_db:g} dB"
        if not self.absolute:
            return snr or "none"
        return f"{self.absolute:g}" + (f" or {snr}" if snr else "")


Tolerances = float | Tolerance | Mapping[str, float | Tolerance] | str | PathLike[str]
"""One for all numbers; or by field, ``{"*_lufs": 1e-9, "AudioResample:samples": Tolerance(…)}``; or
the path of a TOML file. The first that covers a field counts."""


class Rule(NamedTuple):
    """A tolerance, and what it covers; ``*`` stands for any characters."""

    node: str
    field: str
    tolerance: Tolerance


class _Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[[row]]`` of a TOML file; the last four are for people."""

    field: str
    node: str = "*"
    tolerance: float = 0.0
    snr_db: float | None = None
    unit: str = ""
    measured: float = 0.0
    values: int = 0
    cause: str = ""


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    row: tuple[_Row, ...]


def read_rules(tolerances: Tolerances | None) -> tuple[Rule, ...]:
    """The rules, in the order in which they are asked.

    Raises
    ------
    OSError, ValueError
        A file cannot be read, or is not of this form; says where.
    """
    if tolerances is None:
        return ()
    if isinstance(tolerances, (int, float, Tolerance)):
        return (Rule("*", "*", _tolerance(tolerances)),)
    if isinstance(tolerances, Mapping):
        return tuple(
            Rule(node or "*", field, _tolerance(value))
            for key, value in tolerances.items()
            for node, _, field in [key.rpartition(":")]
        )
    path = Path(tolerances)
    try:
        table = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), _Table)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ValueError(f"tolerances of {path}: {error}") from error
    return tuple(
        Rule(row.node, row.field, Tolerance(row.tolerance, row.snr_db)) for row in table.row
    )


def _tolerance(value: float | Tolerance) -> Tolerance:
    return value if isinstance(value, Tolerance) else Tolerance(value)


EXACT = Tolerance()


def find_tolerance(rules: Iterable[Rule], node: str, field: str, *, by_name: bool) -> Tolerance:
    """What the first rule allows that covers this field of this node.

    Parameters
    ----------
    rules : iterable of Rule
        As `read_rules` gives them.
    node, field : str
        What is compared.
    by_name : bool
        Only if the rule names the field without ``*``: a count or a time that is off is seldom
        what somebody meant who allowed samples to be.
    """
    for rule in rules:
        if by_name and rule.field != field:
            continue
        if fnmatchcase(node, rule.node) and fnmatchcase(field, rule.field):
            return rule.tolerance
    return EXACT
