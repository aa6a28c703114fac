"""The Python wheels that the npm package carries, and the TypeScript table that names them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
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
# What only some graphs need is loaded by these: nodes in workers of their own, nodes that compute
# with models. The table of the latter stays: it is how they are known.
PARTS = {
    "workers": ("remotemedia/executors/restart.py", "remotemedia_wasm/workers/"),
    "models": ("remotemedia/models/", "remotemedia/nodes/models/", "remotemedia_wasm/models/"),
}
ALWAYS = ("remotemedia/nodes/models/__init__.py",)
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
        """The asset that a wheel becomes; by the name of one of `PARTS`: that part of ours."""
        files, file = wheels.unpack(wheel), wheel.name
        if name == "remotemedia" or name in PARTS:
            files = {
                path: python_source.slimmed(content, keep_classes=path.startswith(WITH_DOCSTRINGS))
                if path.endswith(".py")
                else content
                for path, content in files.items()
            }
            parts = {path: _part(path) for path in files}
            if name in PARTS:
                file = file.replace("-", f"_{name}-", 1)
            else:  # its entry points name the others', too
                files = wheels.keep(files, lambda path: not path.startswith(NOT_IN_A_PAGE))
            wanted = name if name in PARTS else ""
            files = {path: files[path] for path in files if parts.get(path, "") == wanted}
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


def _part(path: str) -> str:
    """The part that a file belongs to; empty: what every page loads."""
    if path in ALWAYS:
        return ""
    return next((name for name, paths in PARTS.items() if path.startswith(paths)), "")


def assets(ours: Path, pyodide: Path) -> list[Asset]:
    """All assets: our wheel, and those that it needs and Pyodide's own index has not."""
    return [
        Asset.of("remotemedia", ours),
        Asset.of("msgspec", only(pyodide, "msgspec-*.whl")),
        Asset.of("pyyaml", only(pyodide, "pyyaml-*.whl")),
        *(Asset.of(name, ours) for name in PARTS),
    ]


def _onnx_version() -> str:
    """The version of onnxruntime-web that the package is tested with."""
    package = json.loads((REPOSITORY / "wasm" / "package.json").read_text())
    version: str = package["devDependencies"]["onnxruntime-web"]
    return version


def only(folder: Path, pattern: str) -> Path:
    """The one file that fits."""
    found = list(folder.glob(pattern))
    if len(found) != 1:
        raise ArtefactError(f"{folder} has {len(found)} files {pattern}; it should have one")
    return found[0]


def to_typescript(made: Sequence[Asset], version: str, pyodide: Path) -> str:
    """The generated module."""
    loaded = [file for pattern in LOADED_FILES for file in sorted(pyodide.glob(pattern))]
    loaded += [only(pyodide, pattern) for pattern in LOADED_WHEELS]
    sizes = {file.name: file.stat().st_size for file in loaded}
    names = " | ".join(f'"{asset.name}"' for asset in made)
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
        f'export const ONNX_VERSION = "{_onnx_version()}";\n\n'
        f"export const ASSETS: Record<{names}, Asset> = {{\n"
        + "".join(asset.to_typescript() for asset in made)
        + "};\n\n"
        "/** Bytes of Pyodide's own files and wheels, as they are on its CDN. */\n"
        f"export const PYODIDE_FILES: Record<string, number> = {json.dumps(sizes, indent=2)};\n"
    )
