"""A small site in place of the built app: the server does not look into the files."""

from __future__ import annotations

from pathlib import Path

import pytest

FILES = {
    "index.html": b"<!doctype html>",
    "service-worker.js": b"self;",
    "clip.wav": bytes(range(256)),
    "empty.txt": b"",
    "assets/index-D3adB_ef.js": b"app;",
    "assets/remotemedia-0.1.0-py3-none-any.whl-CqZ3dK-7.xz": b"\xfd7zXZ packed",
    "pyodide/pyodide.mjs": b"export {};",
    "pyodide/pyodide.asm.wasm": b"\0asm",
    "pyodide/numpy-2.4.3-cp314-cp314-pyemscripten_2026_0_wasm32.whl": b"PK",
    ".hidden": b"secret",
    "folder with ü/a.json": b"{}",
}


@pytest.fixture
def site_folder(tmp_path: Path) -> Path:
    """The site, and beside it a file that is none of its business."""
    (tmp_path / "secret.txt").write_text("secret")
    folder = tmp_path / "site"
    for name, content in FILES.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    (folder / "way-out.txt").symlink_to(tmp_path / "secret.txt")
    return folder
