"""What a server must say about each file of the site, for Python to run in the page.

One table for our own server and for the recipes that go with an export.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath

ISOLATION = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
}
"""With these two a page gets shared memory: audio then goes straight to Python's worker."""

ALWAYS = {
    "Cross-Origin-Resource-Policy": "same-origin",
    # blob: and data: are for what the page itself made: recordings and pictures.
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; "
        "media-src 'self' blob:; img-src 'self' data: blob:"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}

TYPES = {
    ".css": "text/css; charset=utf-8",
    ".gz": "application/gzip",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".md": "text/markdown; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".mp3": "audio/mpeg",
    ".onnx": "application/octet-stream",
    ".png": "image/png",
    ".py": "text/x-python; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".wav": "audio/wav",
    ".webmanifest": "application/manifest+json",
    ".whl": "application/zip",
    ".woff2": "font/woff2",
    ".xz": "application/x-xz",
    ".yaml": "application/yaml",
    ".zip": "application/zip",
}

REVALIDATE = "no-cache"
FOR_EVER = "public, max-age=31536000, immutable"
# As Vite names what it emits: NAME-HASH.EXTENSION.
_HASH_NAMED = re.compile(r"assets/[^/]+-[\w-]{8}\.\w+")


def content_type(path: str) -> str:
    """The type of a file by its name; not asked of the system, whose tables differ."""
    return TYPES.get(PurePosixPath(path).suffix.lower(), "application/octet-stream")


def cache_control(path: str) -> str:
    """How long a browser may keep a file, by its path in the site."""
    return FOR_EVER if _HASH_NAMED.fullmatch(path) else REVALIDATE


def common(isolated: bool) -> dict[str, str]:
    """The headers of every answer."""
    return {**ALWAYS, **ISOLATION} if isolated else dict(ALWAYS)
