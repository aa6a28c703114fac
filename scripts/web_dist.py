"""Makes the npm package's files: wasm/dist, out of dist/*.whl and wasm/src; prints their sizes.

Usage::

    scripts/web_dist.py                 wasm/dist
    scripts/web_dist.py --assets-only   only the wheels, and the table of them in wasm/src
    scripts/web_dist.py --pyodide       wasm/dist, and the Pyodide folder in build/pyodide-web
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import urllib.error
from collections.abc import Sequence
from pathlib import Path

import pyodide_dist
import pyodide_web
import web_assets
import wheels
from artefacts import REPOSITORY, ArtefactError, pins, run
from web_assets import GENERATED, Asset

WASM = REPOSITORY / "wasm"
DIST = WASM / "dist"
PYODIDE = REPOSITORY / "build" / "pyodide-web"
OUR_CODE_BUDGET = 200_000
BUNDLES = ("index.js", "worker.js", "capture.js", "playback.js")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--assets-only", action="store_true")
    parser.add_argument("--pyodide", action="store_true")
    options = parser.parse_args(arguments)
    made = write_assets()
    if not options.assets_only:
        write_bundles()
        report(made)
        write_declarations()
    if options.pyodide:
        mirror(pyodide_web.locate(), PYODIDE)
        size = sum(file.stat().st_size for file in PYODIDE.iterdir())
        print(f"{size:>9,}  {PYODIDE.relative_to(REPOSITORY)}")


def write_assets() -> list[Asset]:
    """Write the wheels into dist/assets, and the table of them into src."""
    pyodide = pyodide_dist.locate()
    ours = web_assets.only(REPOSITORY / "dist", "remotemedia-*.whl")
    made = web_assets.assets(ours, pyodide)
    folder = DIST / "assets"
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        if old.name not in {asset.file for asset in made}:
            old.unlink()
    for asset in made:
        write_if_new(folder / asset.file, asset.packed)
    table = web_assets.to_typescript(made, pins()["pyodide"]["version"], pyodide)
    write_if_new(GENERATED, table.encode())
    return made


def write_bundles() -> None:
    """Write the JavaScript into an otherwise empty dist."""
    for old in DIST.iterdir():
        if old.is_file():
            old.unlink()
        elif old.name != "assets":
            shutil.rmtree(old)
    run("node", REPOSITORY / "scripts" / "web_bundle.mjs", WASM / "src", DIST)


def write_declarations() -> None:
    """Write the types beside it."""
    run(WASM / "node_modules" / ".bin" / "tsc", "-p", WASM / "tsconfig.build.json")
    for declaration in DIST.glob("**/*.d.ts"):
        # tsc keeps `.ts` in them, which no module beside them has.
        text = re.sub(r'(["\'])(\.{1,2}/[^"\']+)\.ts\1', r"\1\2.js\1", declaration.read_text())
        declaration.write_text(text)


def report(made: Sequence[Asset]) -> None:
    sizes = {asset.file: len(asset.packed) for asset in made}
    sizes |= {name: len(wheels.gzipped((DIST / name).read_bytes())) for name in BUNDLES}
    for name, size in sizes.items():
        print(f"{size:>9,}  {name}")
    ours = made[0].file
    total = sum(sizes[name] for name in (ours, *BUNDLES))
    print(f"{total:>9,}  our own code to download; the budget is {OUR_CODE_BUDGET:,}")
    if total > OUR_CODE_BUDGET:
        raise ArtefactError(
            f"our own code is {total - OUR_CODE_BUDGET:,} bytes beyond its budget: see what "
            "scripts/web_assets.py could leave out of the page's wheel"
        )


def write_if_new(file: Path, content: bytes) -> None:
    """Leave a file alone that is the same: compilers go by its time."""
    if not file.is_file() or file.read_bytes() != content:
        file.write_bytes(content)


def mirror(source: Path, target: Path) -> None:
    """Make `target` a copy of `source`."""
    target.mkdir(parents=True, exist_ok=True)
    wanted = {file.name: file for file in source.iterdir()}
    for old in target.iterdir():
        if old.name not in wanted:
            old.unlink()
    for name, file in wanted.items():
        copy = target / name
        if not copy.is_file() or copy.stat().st_mtime_ns != file.stat().st_mtime_ns:
            shutil.copy2(file, copy)


if __name__ == "__main__":
    try:
        main()
    except (ArtefactError, urllib.error.URLError, ValueError) as problem:
        sys.exit(f"scripts/web_dist.py: {problem}")
