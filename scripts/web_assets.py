"""The Python wheels that the npm package carries, and the TypeScript table that names them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import python_source
import wheels
from artefacts import REPOSITORY, ArtefactError

GENERATED = REPOSITORY / "wasm" / "src" / "assets.generated.ts"
# What no page can use: commands and the console script behind them, what only tests use, CPython's.
NOT_IN_A_PAGE = (
    "remotemedia/__main__.py",
    "remotemedia/cli/",
    "remotemedia/manifest/edit.py",
    "remotemedia/metrics/prometheus.py",
    "remotemedia/recording/files.py",
    "remotemedia/recording/reader.py",
    "remotemedia/session/replay.py",
    "remotemedia/testing/",
    "remotemedia_native/",
    "remotemedia_pytest.py",
)
# Loaded by graphs that have nodes in workers of their own.
OF_WORKERS = ("remotemedia/executors/restart.py", "remotemedia_wasm/workers/")
# Those of the classes: the page shows them, and the JSON Schema of manifests has them.
WITH_DOCSTRINGS = ("remotemedia/manifest/model.py", "remotemedia/nodes/")
# Pyodide's files that a page may load; their sizes are what progress is reckoned with.
LOADED_FILES = ("pyodide.*", "python_stdlib.zip", "pyodide-lock.json")
LOADED_WHEELS = ("micropip-*.whl", "numpy-*.whl", "scipy-*.whl")


@dataclass(frozen=True)
class Asset:
    """One wheel as it travels: stored, then compressed as a whole, in xz form."""

    name: str
    file: str
    raw: bytes
    packed: bytes

    @classmethod
    def of(cls, name: str, wheel: Path) -> Asset:
        """The asset that a wheel becomes; ``workers``: what of ours only nodes in workers need."""
        files, file = wheels.unpack(wheel), wheel.name
        if name in ("remotemedia", "workers"):
            files = {
                path: python_source.slimmed(content, keep_classes=path.startswith(WITH_DOCSTRINGS))
                if path.endswith(".py")
                else content
                for path, content in files.items()
            }
            workers = {path: files[path] for path in files if path.startswith(OF_WORKERS)}
            if name == "workers":
                files, file = workers, file.replace("-", "_workers-", 1)
            else:  # its entry points name the other's, too
                files = wheels.keep(files, lambda path: not path.startswith(NOT_IN_A_PAGE))
                files = {path: files[path] for path in files if path not in workers}
        raw = wheels.pack(files, compress=False)
        return cls(name, f"{file}.xz", raw, wheels.xz(raw))

    def to_typescript(self) -> str:
        """Its row of the table; the URL literal is what bundlers look for."""
        return (
            f"  {self.name}: {{\n"
            f'    name: "{self.name}",\n'
            f'    file: "{self.file}",\n'
            f'    url: new URL("./assets/{self.file}", import.meta.url),\n'
            f"    size: {len(self.packed)},\n"
            f'    sha256: "{hashlib.sha256(self.packed).hexdigest()}",\n'
            "  },\n"
        )


def assets(ours: Path, pyodide: Path) -> list[Asset]:
    """All assets: our wheel, and those that it needs and Pyodide's own index has not."""
    return [
        Asset.of("remotemedia", ours),
        Asset.of("msgspec", only(pyodide, "msgspec-*.whl")),
        Asset.of("pyyaml", only(pyodide, "pyyaml-*.whl")),
        Asset.of("workers", ours),
    ]


def only(folder: Path, pattern: str) -> Path:
    """The one file that fits."""
    found = list(folder.glob(pattern))
    if len(found) != 1:
        raise ArtefactError(f"{folder} has {len(found)} files {pattern}; it should have one")
    return found[0]


def to_typescript(made: Iterable[Asset], version: str, pyodide: Path) -> str:
    """The generated module."""
    loaded = [file for pattern in LOADED_FILES for file in sorted(pyodide.glob(pattern))]
    loaded += [only(pyodide, pattern) for pattern in LOADED_WHEELS]
    sizes = {file.name: file.stat().st_size for file in loaded}
    return (
        "// Made by scripts/web_dist.py; do not edit, do not commit.\n\n"
        "/** A Python wheel of this package: uncompressed, then in xz form as a whole. */\n"
        "export interface Asset {\n"
        "  name: string;\n"
        "  /** Name of the wheel, with .xz behind it. */\n"
        "  file: string;\n"
        "  url: URL;\n"
        "  /** Bytes to download. */\n"
        "  size: number;\n"
        "  /** Of these bytes; hexadecimal. */\n"
        "  sha256: string;\n"
        "}\n\n"
        f'export const PYODIDE_VERSION = "{version}";\n\n'
        'export const ASSETS: Record<"remotemedia" | "msgspec" | "pyyaml" | "workers", Asset> = {\n'
        + "".join(asset.to_typescript() for asset in made)
        + "};\n\n"
        "/** Bytes of Pyodide's own files and wheels, as they are on its CDN. */\n"
        f"export const PYODIDE_FILES: Record<string, number> = {json.dumps(sizes, indent=2)};\n"
    )
