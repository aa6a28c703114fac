"""Where the built web app lies, and which of its files a path means."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from remotemedia.cli.failure import CommandError

VARIABLE = "REMOTEMEDIA_WEB_SITE"
INDEX = "index.html"
MANIFEST = "manifest.json"
ISOLATION_WORKER = "service-worker.js"
"""Adds the isolation headers where the server cannot (`@remotemedia/web`)."""


@dataclass(frozen=True)
class Site:
    """The app, and the pipeline that it shows.

    Parameters
    ----------
    folder : Path
        The built app, with Pyodide in it.
    manifest : bytes
        The pipeline as JSON.
    isolated : bool
        Whether the page gets shared memory.
    """

    folder: Path
    manifest: bytes
    isolated: bool = True

    def find(self, target: str) -> str | None:
        """The file that a request target means, as path in the site; None if there is none.

        Never one outside the folder, hidden, or reached by a symbolic link that leads out.
        """
        path = unquote(urlsplit(target).path)
        if not path.startswith("/") or "\\" in path or "\0" in path:
            return None
        parts = path.split("/")[1:]
        if parts[-1] == "":
            parts[-1] = INDEX
        if any(not part or part.startswith(".") or ":" in part for part in parts):
            return None
        if not self.isolated and parts == [ISOLATION_WORKER]:
            return None  # it would bring back what was left out on purpose
        if parts == [MANIFEST]:
            return MANIFEST
        try:
            file = self.folder.joinpath(*parts).resolve()
            inside = file.is_relative_to(self.folder.resolve()) and file.is_file()
        except OSError:  # such as a name that is too long
            return None
        return "/".join(parts) if inside else None


def find_folder() -> Path:
    """The folder of the built app.

    Raises
    ------
    CommandError
        It is not built; says how to.
    """
    given = os.environ.get(VARIABLE)
    if given:
        folder = Path(given)
        if not (folder / INDEX).is_file():
            raise CommandError(f"{VARIABLE}={given}: that folder has no {INDEX}")
        return folder
    here = Path(__file__).parent
    checkout = here.parents[2]
    candidates = [here / "site"]
    if (checkout / "pyproject.toml").is_file():  # installed in editable form
        candidates.insert(0, checkout / "build" / "web")
    for folder in candidates:
        if (folder / INDEX).is_file():
            return folder
    raise CommandError(
        "the web app is not built: run scripts/build_web in a checkout of remotemedia "
        f"(it needs Node.js 20 and npm), or name a folder that has it: {VARIABLE}=/folder"
    )
