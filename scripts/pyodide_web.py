"""Assembles the Pyodide folder that a site serves itself, in the cache, and prints its path.

It holds what `@remotemedia/web` may load and nothing else. The standard library and all wheels are
byte code of Pyodide's own Python: it starts in about 40 % of the time, for 2 MB more to download.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import urllib.error
from pathlib import Path

import pyodide_dist
from artefacts import ArtefactError, appearing, cache_folder, fingerprint, run

COMPILER = Path(__file__).with_name("pyodide_compile.mjs")
RUNTIME = ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm")
STDLIB = "python_stdlib.zip"
PACKAGES = ("micropip", "msgspec", "numpy", "pyyaml", "scipy")


def locate() -> Path:
    """The folder, assembled if it is not there yet."""
    dist = pyodide_dist.locate()
    makers = [Path(__file__), COMPILER, Path(__file__).with_name("wheels.py")]
    mark = fingerprint(dist / "pyodide-lock.json", *makers)
    folder = cache_folder() / f"pyodide-web-{mark}"
    if not folder.is_dir():
        print(f"compiling Pyodide's Python in {folder}", file=sys.stderr)
        with appearing(folder) as making:
            assemble(dist, making)
    return folder


def assemble(dist: Path, folder: Path) -> None:
    lock = json.loads((dist / "pyodide-lock.json").read_text())
    lacking = [name for name in PACKAGES if name not in lock["packages"]]
    if lacking:
        raise ArtefactError(f"{dist} lacks {', '.join(lacking)}")
    lock["packages"] = {name: lock["packages"][name] for name in PACKAGES}
    wheels = [entry["file_name"] for entry in lock["packages"].values()]
    run("node", COMPILER, dist, folder, STDLIB, *wheels)
    for name in RUNTIME:
        shutil.copy2(dist / name, folder / name)
    for entry in lock["packages"].values():
        made = folder / entry["file_name"]
        entry["sha256"] = hashlib.sha256(made.read_bytes()).hexdigest()
    (folder / "pyodide-lock.json").write_text(json.dumps(lock, indent=1))
    for file in folder.iterdir():
        file.chmod(0o644)


if __name__ == "__main__":
    try:
        print(locate())
    except (ArtefactError, urllib.error.URLError, ValueError) as problem:
        sys.exit(f"scripts/pyodide_web.py: {problem}")
