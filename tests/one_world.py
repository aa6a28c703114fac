"""Reads unit/one_world.toml: which tests run in one world only, and why."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

LIST_FILE = Path(__file__).with_name("unit") / "one_world.toml"


@dataclass(frozen=True)
class Entry:
    """A test, or a file, class or function full of them."""

    id: str
    reason: str

    def matches(self, test_id: str) -> bool:
        return test_id == self.id or test_id.startswith((f"{self.id}::", f"{self.id}["))


def entries(world: str) -> list[Entry]:
    """The tests that run only in `world`, which is ``"native"`` or ``"pyodide"``."""
    listed = [Entry(**entry) for entry in tomllib.loads(LIST_FILE.read_text())[f"{world}_only"]]
    for entry in listed:
        if not entry.reason.strip():
            raise ValueError(f"{LIST_FILE}: {entry.id} has no reason")
    return listed
