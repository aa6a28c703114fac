"""The lock file of an offline Pyodide distribution: what `loadPackage` finds, and its SHA-256."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterator
from email.message import Message
from email.parser import Parser
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

# The values that dependency markers are evaluated with.
PYODIDE_MARKERS = {
    "extra": "",
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_machine": "wasm32",
    "platform_python_implementation": "CPython",
    "platform_system": "Emscripten",
    "python_full_version": "3.14.2",
    "python_version": "3.14",
    "sys_platform": "emscripten",
}


def prune_and_extend(folder: Path) -> None:
    """Rewrite the official lock in `folder` to list exactly the wheels that lie beside it.

    Official entries are kept as they are if the file matches their SHA-256; the other wheels get
    an entry made from their metadata.

    Raises
    ------
    ValueError
        If a wheel depends on a package that is not there.
    """
    lock_file = folder / "pyodide-lock.json"
    lock = json.loads(lock_file.read_text())
    official = {entry["file_name"]: entry for entry in lock["packages"].values()}
    packages: dict[str, Any] = {}
    for wheel in sorted(folder.glob("*.whl")):
        sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest()
        entry = official.get(wheel.name)
        if entry is None or entry["sha256"] != sha256:
            entry = entry_from_wheel(wheel, sha256)
        packages[canonicalize_name(entry["name"])] = entry
    for name, entry in packages.items():
        missing = {canonicalize_name(depends) for depends in entry["depends"]} - packages.keys()
        if missing:
            raise ValueError(f"{name} needs {sorted(missing)}, which the distribution lacks")
    lock["packages"] = packages
    lock_file.write_text(json.dumps(lock, indent=1))


def entry_from_wheel(wheel: Path, sha256: str) -> dict[str, Any]:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata_name = next(name for name in names if name.endswith(".dist-info/METADATA"))
        metadata = Parser().parsestr(archive.read(metadata_name).decode())
    return {
        "name": canonicalize_name(metadata["Name"]),
        "version": metadata["Version"],
        "file_name": wheel.name,
        "install_dir": "site",
        "sha256": sha256,
        "package_type": "package",
        "imports": sorted(top_level_modules(names)),
        "depends": sorted(dependencies(metadata)),
        "unvendored_tests": False,
    }


def dependencies(metadata: Message) -> Iterator[str]:
    for text in metadata.get_all("Requires-Dist", []):
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate(PYODIDE_MARKERS):
            yield canonicalize_name(requirement.name)


def top_level_modules(names: list[str]) -> set[str]:
    folders = {name.split("/")[0] for name in names if "/" in name}
    files = {name.removesuffix(".py") for name in names if "/" not in name and name.endswith(".py")}
    return files | {folder for folder in folders if "." not in folder}
