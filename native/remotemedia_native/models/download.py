"""Download: one file from a URL to its place, whole and with the right SHA-256, or not at all.

It is written beside its place as ``NAME.part`` and renamed once its SHA-256 is right. A download
that broke off goes on where it was, if the server says that its file is still the same.
"""

from __future__ import annotations

import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import Message
from pathlib import Path
from typing import IO, BinaryIO, cast

from remotemedia.errors import ModelError, ModelNotFoundError
from remotemedia.models.catalog import ModelFile
from remotemedia.models.store import sha256_of

LIMIT = 2 * 2**30  # bytes of a file whose size nobody knows
TIMEOUT_S = 30.0  # without any byte
BLOCK = 2**18
SAFE = ("https://", "http://127.0.0.1:", "http://127.0.0.1/", "http://localhost:")

Progress = Callable[..., None]


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows where the connection stays safe."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: Message,
        newurl: str,
    ) -> urllib.request.Request | None:
        if not newurl.startswith(SAFE):
            raise urllib.error.URLError(f"it redirects to {newurl}, which is not https")
        return super().redirect_request(
            req, fp, code, msg, cast("http.client.HTTPMessage", headers), newurl
        )


def download(
    file: ModelFile,
    path: Path,
    *,
    instead: str = "",
    progress: Progress | None = None,
    timeout_s: float = TIMEOUT_S,
) -> None:
    """Fetch a file to `path`; another process that fetches the same is waited for.

    Raises
    ------
    ModelNotFoundError
        It cannot be fetched or written; says why.
    ModelError
        What came is too long, or has another SHA-256.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path.with_name(f"{path.name}.lock")):
            if path.is_file() and sha256_of(path) == file.sha256:  # the other one has
                return
            _transfer(file, part, progress, timeout_s)
            _check(file, part)
            part.replace(path)
    except (OSError, http.client.HTTPException) as error:
        other = f", or {instead}" if instead else ""
        raise ModelNotFoundError(
            f"model file {file.name} cannot be fetched from {file.url} to {path}: {error}: check "
            f"the network and the disk, then try again{other}"
        ) from error


def _check(file: ModelFile, part: Path) -> None:
    found = sha256_of(part)
    if found != file.sha256:
        part.unlink()
        raise ModelError(
            f"model file {file.name} from {file.url} is not what it should be: its SHA-256 is "
            f"{found}, not {file.sha256}; it has been deleted"
        )


def _transfer(file: ModelFile, part: Path, progress: Progress | None, timeout_s: float) -> None:
    """Write what comes, behind what an earlier try has left."""
    tag_file = part.with_name(f"{part.name}.tag")  # which version of the file that is
    request = urllib.request.Request(file.url, headers={"Accept-Encoding": "identity"})
    done = part.stat().st_size if part.exists() and tag_file.exists() else 0
    if done and done == file.size:
        tag_file.unlink()
        return
    if done:
        request.add_header("Range", f"bytes={done}-")
        request.add_header("If-Range", tag_file.read_text())
    opener = urllib.request.build_opener(_Redirects)
    try:
        answer = opener.open(request, timeout=timeout_s)
    except urllib.error.HTTPError as error:
        if error.code != http.client.REQUESTED_RANGE_NOT_SATISFIABLE or not done:
            raise
        error.close()
        tag_file.unlink()  # what is here is longer than the file: from the start
        _transfer(file, part, progress, timeout_s)
        return
    with answer:
        goes_on = answer.status == http.client.PARTIAL_CONTENT and answer.headers.get(
            "Content-Range", ""
        ).startswith(f"bytes {done}-")
        if answer.status != http.client.OK and not goes_on:
            raise OSError(f"the server answered {answer.status} with another part of the file")
        if not goes_on:
            done = 0
        tag = answer.headers.get("ETag", "")
        if tag and not tag.startswith("W/"):  # a weak one may not be resumed by (RFC 9110, 13.1.5)
            tag_file.write_text(tag)
        else:
            tag_file.unlink(missing_ok=True)
        length = answer.headers.get("Content-Length")
        total = done + int(length) if length and length.isdecimal() else None
        with part.open("ab" if done else "wb") as out:
            done = _copy(file, answer, out, done, total, progress)
    if total is not None and done < total:
        raise OSError(f"the connection ended after {done} of {total} bytes; try again to go on")
    tag_file.unlink(missing_ok=True)


def _copy(
    file: ModelFile,
    answer: IO[bytes],
    out: BinaryIO,
    done: int,
    total: int | None,
    progress: Progress | None,
) -> int:
    """Copy to the end or the limit; gives how many bytes there are now."""
    limit = file.size or LIMIT
    while True:
        if max(done, total or 0) > limit:
            out.close()
            Path(out.name).unlink()
            raise ModelError(
                f"model file {file.name} from {file.url} is longer than the {limit} bytes that it "
                "may have; it has been deleted"
            )
        block = cast("http.client.HTTPResponse", answer).read1(BLOCK)
        if not block:
            return done
        out.write(block)
        done += len(block)
        if progress is not None:
            whole = file.size or total
            progress(f"fetching {file.name}", min(1.0, done / whole) if whole else None)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One process at a time; the system unlocks for one that dies."""
    with path.open("a+b") as file:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)  # type: ignore[attr-defined,unused-ignore]
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield
