"""Store: from what a manifest says of a model to its files on this host."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

Files: TypeAlias = Mapping[str, "Path | bytes"]
"""The files of a model by name: paths natively, in one folder; bytes in a page."""


class LocalStore:
    """Stand-in: finds paths only. Part B writes the store."""

    def find(self, reference: str, *, progress: Callable[..., None] | None = None) -> Files:
        path = Path(reference)
        if path.is_dir():
            return {each.name: each for each in sorted(path.iterdir())}
        return {path.name: path}


def find_store() -> LocalStore:
    return LocalStore()
