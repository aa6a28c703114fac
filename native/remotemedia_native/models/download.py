"""download: one file by HTTP, resumed where it broke off, checked, and there all at once."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from remotemedia.errors import ModelError, ModelNotFoundError
from remotemedia.models.store import Progress

try:
    import fcntl
except ImportError:  # Windows: two that download the same each do it
    fcntl = None  # type: ignore[assignment]

LIMIT = 2 * 2**30
"""What a file of unknown size may have, bytes."""
PIECE = 2**18
TIMEOUT_S = 30.0
TRIES = 4
SAID_EVERY_S = 0.5


def download(
    url: str, path: Path, sha256: str, size: int | None = None, progress: Progress | None = None
) -> None:
    """Get a file. Two processes that want the same get it once.

    Parameters
    ----------
    url : str
        ``https://``, or ``http://`` of this machine.
    path : Path
        Where it is to be.
    sha256 : str
        What its content must have.
    size : int, optional
        What it must have, bytes. Default: up to `LIMIT`.
    progress : callable, optional
        Told in words, a few times a second.

    Raises
    ------
    ModelNotFoundError
        It cannot be downloaded.
    ModelError
        What came is not what it must be.
    """
    check_address(url)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _alone(path):
            if not path.is_file():
                part = path.with_name(f"{path.name}.part")
                _fetch(url, part, size, progress)
                _check(url, part, sha256)
                part.replace(path)
    except OSError as error:
        where = error.filename or path
        raise ModelNotFoundError(
            f"{url} cannot be kept at {where}: {error.strerror or error}: free some space, or name "
            "another folder by REMOTEMEDIA_MODELS"
        ) from error


def check_address(url: str) -> None:
    """Raise unless nobody on the way can change what comes, or read what is asked for.

    Raises
    ------
    ModelError
        It is not ``https://``, nor of this machine.
    """
    parts = urlsplit(url)
    if parts.scheme == "https":
        return
    if parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost", "::1"):
        return
    raise ModelError(f"{url}: models are downloaded by https:// only")


class _Redirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *given: Any) -> Any:
        check_address(given[-1])
        return super().redirect_request(*given)


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """While nobody else of this host downloads the same."""
    with path.with_name(f"{path.name}.lock").open("w") as file:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _fetch(url: str, part: Path, size: int | None, progress: Progress | None) -> None:
    mark = part.with_name(f"{part.name}.etag")  # of what the beginning is a part of
    for attempt in range(TRIES):
        try:
            _go_on(url, part, mark, size, progress)
        except urllib.error.HTTPError as error:
            if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
                part.unlink(missing_ok=True)
                continue
            raise ModelNotFoundError(f"{url}: HTTP {error.code} {error.reason}") from error
        except (
            urllib.error.URLError,
            http.client.HTTPException,
            TimeoutError,
            ConnectionError,
        ) as error:
            if attempt == TRIES - 1:
                reason = getattr(error, "reason", error)
                raise ModelNotFoundError(f"{url} cannot be downloaded: {reason}") from error
            time.sleep(0.2 * 2**attempt)
        else:
            mark.unlink(missing_ok=True)
            return
    raise ModelNotFoundError(f"{url} cannot be downloaded: the server gives no such part of it")


def _go_on(url: str, part: Path, mark: Path, size: int | None, progress: Progress | None) -> None:
    """Get the rest. Raises unless it is whole then."""
    request = urllib.request.Request(url, headers={"User-Agent": "remotemedia"})
    before = part.stat().st_size if part.is_file() and mark.is_file() else 0
    if before:
        request.add_header("Range", f"bytes={before}-")
        request.add_header("If-Range", mark.read_text())
    opener = urllib.request.build_opener(_Redirects)
    with opener.open(request, timeout=TIMEOUT_S) as answer:
        if answer.status != http.client.PARTIAL_CONTENT:
            before = 0
        length = answer.headers.get("Content-Length")
        total = before + int(length) if length else size
        _check_size(url, total, size)
        mark.write_text(answer.headers.get("ETag") or answer.headers.get("Last-Modified") or "")
        if not mark.read_text():
            mark.unlink()
        with part.open("ab" if before else "wb") as file:
            said = 0.0
            while piece := answer.read(PIECE):
                file.write(piece)
                before += len(piece)
                _check_size(url, before, size, whole=False)
                if progress is not None and time.monotonic() - said > SAID_EVERY_S:
                    said = time.monotonic()
                    share = f" of {total / 1e6:.1f}" if total else ""
                    progress(f"downloading {part.stem}: {before / 1e6:.1f}{share} MB")
    if total is not None and before != total:
        raise ConnectionError(f"it broke off after {before:,} of {total:,} bytes")


def _check_size(url: str, found: int | None, size: int | None, *, whole: bool = True) -> None:
    if found is None:
        return
    if size is not None and (found != size if whole else found > size):
        raise ModelError(f"{url} has {found:,} bytes, not {size:,}: it is another version")
    if found > LIMIT:
        raise ModelError(f"{url} has more than {LIMIT:,} bytes: download it by hand, give its path")


def _check(url: str, part: Path, sha256: str) -> None:
    with part.open("rb") as file:
        actual = hashlib.file_digest(file, "sha256").hexdigest()
        os.fsync(file.fileno())
    if actual != sha256:
        part.unlink()
        raise ModelError(
            f"{url} has the SHA-256 {actual}, not {sha256}: it was changed or is another version; "
            "nothing of it is kept"
        )
