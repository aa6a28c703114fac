"""Store: from what a manifest says of a model to its files on this host."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Protocol, TypeAlias

from remotemedia.errors import ModelError, ModelNotFoundError, UnavailableError, nearest
from remotemedia.models.catalog import CATALOG, KnownModel, ModelFile, known_model
from remotemedia.models.reference import Reference
from remotemedia.plugins import entry_points

ENTRY_POINT_GROUP = "remotemedia.stores"
FOLDER_VARIABLE = "REMOTEMEDIA_MODELS"

Files: TypeAlias = Mapping[str, "Path | bytes"]
"""The files of a model by name: paths natively, in one folder; bytes in a page."""

Progress: TypeAlias = Callable[[str], None]


class Store(Protocol):
    """Where models are found."""

    def find(self, reference: str, *, progress: Progress | None = None) -> Files | Awaitable[Files]:
        """All files of a model: of a known one, of a folder, or the one file at a path or URL.

        Raises
        ------
        ModelNotFoundError
            It is nowhere; says where it was looked for, and how to get it.
        ModelError
            It is there, but is not what it must be.
        """


class FolderStore:
    """Models that are files here: by path, and known ones in a folder, each in one of its own.

    Parameters
    ----------
    folder : Path, optional
        Default: the environment variable ``REMOTEMEDIA_MODELS``; without that, none.
    """

    def __init__(self, folder: Path | None = None) -> None:
        named = os.environ.get(FOLDER_VARIABLE)
        self.folder = Path(named) if folder is None and named else folder

    def find(self, reference: str, *, progress: Progress | None = None) -> Files:
        """All files of a model; see `Store.find`."""
        wanted = Reference.parse(reference)
        if wanted.url:
            raise ModelNotFoundError(
                f"model {reference!r} is a URL, and nothing here downloads: "
                "pip install 'remotemedia[native]', or give a path"
            )
        if wanted.name in CATALOG and not Path(wanted.path).exists():
            return self.find_known(known_model(wanted.name))
        return find_path(reference, Path(wanted.path))

    def find_known(self, model: KnownModel) -> Files:
        """The files of a known model."""
        if self.folder is not None and (found := files_in(self.folder / model.name, model)):
            return found
        where = self.folder or f"no folder (the variable {FOLDER_VARIABLE} is not set)"
        raise ModelNotFoundError(
            f"model {model.name!r} is not here: looked in {where}. Give the path of its file, or "
            f"install what can get it: pip install 'remotemedia[native]'"
        )


def find_path(reference: str, path: Path) -> Files:
    """The file at a path, or those of the folder there.

    Raises
    ------
    ModelNotFoundError
        There is nothing.
    """
    if path.is_dir():
        return {each.name: each for each in sorted(path.iterdir()) if each.is_file()}
    if path.is_file():
        return {path.name: path}
    known = nearest(reference, list(CATALOG)) or f" (known by name: {', '.join(CATALOG)})"
    raise ModelNotFoundError(f"model {reference!r}: there is no file {path.absolute()}{known}")


def files_in(folder: Path, model: KnownModel) -> dict[str, Path]:
    """The files of a known model that a folder has; empty unless it has all."""
    found = {file.name: folder / file.name for file in model.files}
    if not all(path.is_file() for path in found.values()):
        return {}
    for file in model.files:
        if found[file.name].stat().st_size != file.size:
            raise ModelError(
                f"model {model.name!r}: {found[file.name]} has "
                f"{found[file.name].stat().st_size:,} bytes, not {file.size:,}: remove it, and get "
                "it again"
            )
    return found


def check_hash(model: str, file: ModelFile, path: Path) -> None:
    """Raise unless the file at `path` is the known one.

    Raises
    ------
    ModelError
        Its SHA-256 is another.
    """
    actual = sha256_of(path)
    if actual != file.sha256:
        raise ModelError(
            f"model {model!r}: {path} has the SHA-256 {actual}, not {file.sha256}: it is corrupted "
            "or of another version: remove it, and get it again"
        )


def sha256_of(path: Path) -> str:
    """Of the content of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def find_store() -> Store:
    """The store of this host: the first plugin that can be used here, or else a `FolderStore`."""
    for point in entry_points(ENTRY_POINT_GROUP):
        try:
            store: Store = point.load()()
        except (ImportError, UnavailableError):  # that of the other world
            continue
        return store
    return FolderStore()
