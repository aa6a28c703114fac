"""Writes the site and a manifest as one folder that any static server can serve."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from remotemedia.cli.failure import CommandError
from remotemedia_native.web import headers
from remotemedia_native.web.site import INDEX, ISOLATION_WORKER, MANIFEST, Site

HEADERS_FILE = "_headers"
README = "README.md"
OURS = (INDEX, MANIFEST, HEADERS_FILE)
"""What every export has, and hardly anything else: such a folder may be replaced."""


def export(site: Site, target: Path, *, replace: bool = False) -> None:
    """Make `target` that folder, whole or not at all.

    Parameters
    ----------
    site : Site
        The app and the pipeline.
    target : Path
        Does not exist, or is empty.
    replace : bool, default False
        It may also be an earlier export.

    Raises
    ------
    CommandError
        It holds something else; nothing has been changed.
    """
    _check(target, replace)
    target = target.absolute()
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as scratch:
        made = Path(scratch) / "made"
        shutil.copytree(site.folder, made, ignore=_left_out)
        (made / MANIFEST).write_bytes(site.manifest)
        (made / HEADERS_FILE).write_text(headers_file(site.isolated))
        has_worker = (made / ISOLATION_WORKER).is_file()
        (made / README).write_text(readme(site.isolated, has_worker))
        if target.is_dir():
            target.rename(Path(scratch) / "old")
        made.rename(target)


def headers_file(isolated: bool) -> str:
    """The headers as Netlify and Cloudflare Pages read them."""
    common = headers.common(isolated).items()
    lines = ["/*", *(f"  {name}: {value}" for name, value in common)]
    # The types without which a browser refuses a file; a host may know them already.
    for pattern in ("/*.mjs", "/*.wasm"):
        lines += [pattern, f"  Content-Type: {headers.content_type(pattern)}"]
    lines += ["/assets/*", f"  Cache-Control: {headers.FOR_EVER}"]
    return "".join(f"{line}\n" for line in lines)


def readme(isolated: bool, has_worker: bool) -> str:
    """What whoever puts the folder on a server has to know."""
    common = headers.common(isolated).items()
    nginx = "\n".join(f'    add_header {name} "{value}" always;' for name, value in common)
    text = f"""# A RemoteMedia pipeline as a web page

`{MANIFEST}` is the pipeline; everything else makes it run: the app, Pyodide and its packages.
Nothing is loaded from anywhere else. Any static server can serve this folder, from any path.
Browsers allow microphones and shared memory only over https, or from localhost.

What a folder `models` has is loaded by pipelines that compute with models, and has licences of its
own: see `models/models.json`. You may leave out what yours does not use.

## Headers

Netlify and Cloudflare Pages read `{HEADERS_FILE}`: upload the folder as it is.

nginx:

```nginx
location / {{
    include mime.types;
    types {{
        text/javascript mjs;
        application/wasm wasm;
        application/zip whl;
        application/x-xz xz;
    }}
{nginx}
}}
```
"""
    if isolated and has_worker:
        text += f"""
Where you cannot set headers (GitHub Pages, for instance), `{ISOLATION_WORKER}` sets them in the
browser; on the first visit the page is then loaded twice.
"""
    return text


def _check(target: Path, replace: bool) -> None:
    if not target.exists():
        return
    if not target.is_dir():
        raise CommandError(f"{target} is a file, not a folder")
    if not any(target.iterdir()):
        return
    is_export = all((target / name).is_file() for name in OURS)
    if not is_export:
        raise CommandError(f"{target} is not empty, and no earlier export: choose another folder")
    if not replace:
        raise CommandError(f"{target} has an earlier export: --force replaces it")


def _left_out(folder: str, names: list[str]) -> set[str]:
    return {name for name in names if name.startswith(".")}
