"""Downloads from a real server that cuts off, lies, changes its file, redirects and hangs."""

from __future__ import annotations

import hashlib
import http.server
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from remotemedia.errors import ModelError, ModelNotFoundError
from remotemedia.models.catalog import ModelFile
from remotemedia_native.models.download import download
from remotemedia_native.models.store import ModelStore

CONTENT = np.random.default_rng(7).bytes(700_000)
Answer = Callable[["Handler"], None]


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(dict(self.headers))
        self.server.answer(self)

    def log_message(self, *args: object) -> None:
        """Quiet."""

    def give(self, content: bytes, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        given = {"Content_Length": str(len(content))}
        for name, value in (given | headers).items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(content)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    answer: Answer
    asked: list[dict[str, str]]

    def handle_error(self, *args: object) -> None:
        """Quiet where a client has gone."""

    def file(self, content: bytes = CONTENT, **fields: object) -> ModelFile:
        url = f"http://127.0.0.1:{self.server_port}/m.onnx"
        given = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content), **fields}
        return ModelFile("m.onnx", url=url, **given)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as made:
        made.asked = []
        made.answer = lambda handler: handler.give(CONTENT, ETag='"1"')
        thread = threading.Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def names(folder: Path) -> set[str]:
    return {each.name for each in folder.iterdir()} - {"m.onnx.lock"}


def test_a_file_and_how_far_it_is(server: Server, tmp_path: Path) -> None:
    told: list[float] = []
    path = tmp_path / "deep" / "m.onnx"
    download(server.file(), path, progress=lambda message, fraction: told.append(fraction))
    assert path.read_bytes() == CONTENT
    assert names(path.parent) == {"m.onnx"}
    assert told == sorted(told)
    assert told[-1] == 1.0


def cut_off(handler: Handler) -> None:
    handler.give(CONTENT[:300_000], ETag='"1"', Content_Length=str(len(CONTENT)))


def test_goes_on_where_it_broke_off(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    server.answer = cut_off
    with pytest.raises(ModelNotFoundError, match="after 300000 of 700000 bytes"):
        download(server.file(), path)
    assert not path.exists()
    server.answer = lambda handler: handler.give(
        CONTENT[300_000:], 206, Content_Range="bytes 300000-699999/700000", ETag='"1"'
    )
    download(server.file(), path)
    assert server.asked[1]["Range"] == "bytes=300000-"
    assert server.asked[1]["If-Range"] == '"1"'
    assert path.read_bytes() == CONTENT


def test_begins_again_where_the_file_has_changed(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    server.answer = cut_off
    with pytest.raises(ModelNotFoundError):
        download(server.file(), path)
    changed = CONTENT[::-1]
    server.answer = lambda handler: handler.give(changed, ETag='"2"')
    download(server.file(changed), path)
    assert path.read_bytes() == changed


def test_begins_again_where_there_is_no_such_range(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    server.answer = cut_off
    with pytest.raises(ModelNotFoundError):
        download(server.file(), path)

    def refuse(handler: Handler) -> None:
        refused = "Range" in handler.headers
        handler.give(b"", 416) if refused else handler.give(b"short")

    server.answer = refuse
    download(server.file(b"short", size=0), path)
    assert path.read_bytes() == b"short"


def test_another_file_is_refused_with_both_digests(server: Server, tmp_path: Path) -> None:
    wrong = b"x" * len(CONTENT)
    server.answer = lambda handler: handler.give(wrong)
    with pytest.raises(ModelError) as caught:
        download(server.file(), tmp_path / "m.onnx")
    for content in (wrong, CONTENT):
        assert hashlib.sha256(content).hexdigest() in str(caught.value)
    assert names(tmp_path) == set()


@pytest.mark.parametrize("length", [{}, {"Content_Length": "10"}])
def test_more_than_it_may_have(server: Server, tmp_path: Path, length: dict[str, str]) -> None:
    """It says so; or it says less than the digest is of."""
    server.answer = lambda handler: handler.give(CONTENT, **length)
    with pytest.raises(ModelError, match=r"longer than the 1000 bytes|not what it should be"):
        download(server.file(size=1000), tmp_path / "m.onnx")
    assert names(tmp_path) == set()


def test_redirects_only_to_where_it_is_safe(server: Server, tmp_path: Path) -> None:
    def to(target: str) -> Answer:
        return lambda handler: (
            handler.give(CONTENT)
            if handler.path == "/real"
            else handler.give(b"", 302, Location=target)
        )

    server.answer = to("http://models.example/real")
    with pytest.raises(
        ModelNotFoundError, match=r"http://models\.example/real, which is not https"
    ):
        download(server.file(), tmp_path / "m.onnx")
    server.answer = to(f"http://127.0.0.1:{server.server_port}/real")
    download(server.file(), tmp_path / "m.onnx")
    assert (tmp_path / "m.onnx").read_bytes() == CONTENT


def test_a_server_that_hangs(server: Server, tmp_path: Path) -> None:
    done = threading.Event()
    server.answer = lambda handler: done.wait(30)
    try:
        with pytest.raises(ModelNotFoundError, match="timed out"):
            download(server.file(), tmp_path / "m.onnx", timeout_s=0.2)
    finally:
        done.set()


def test_what_is_not_there(server: Server, tmp_path: Path) -> None:
    server.answer = lambda handler: handler.give(b"", 404)
    with pytest.raises(ModelNotFoundError, match=r"404.*try again, or ask me$"):
        download(server.file(), tmp_path / "m.onnx", instead="ask me")


def test_two_processes_fetch_it_once(server: Server, tmp_path: Path) -> None:
    file = server.file()
    code = (
        "import sys, pathlib; from remotemedia.models.catalog import ModelFile\n"
        "from remotemedia_native.models.download import download\n"
        "print('ready', flush=True)\n"
        "download(ModelFile('m.onnx', sys.argv[1], sys.argv[2]), pathlib.Path(sys.argv[3]))"
    )
    given = [sys.executable, "-c", code, file.sha256, file.url, str(tmp_path / "m.onnx")]
    holding = threading.Event()

    def slowly(handler: Handler) -> None:
        holding.wait(30)  # until both run
        handler.give(CONTENT)

    server.answer = slowly
    children = [subprocess.Popen(given, stdout=subprocess.PIPE) for _ in range(2)]
    for child in children:
        with child.stdout as output:
            assert output.readline() == b"ready\n"
    holding.set()
    assert [child.wait(50) for child in children] == [0, 0]
    assert len(server.asked) == 1
    assert (tmp_path / "m.onnx").read_bytes() == CONTENT


def test_a_store_fetches_once_then_has_it(server: Server, tmp_path: Path) -> None:
    file = server.file()
    reference = f"{file.url}#sha256={file.sha256}"
    with pytest.raises(ModelNotFoundError, match="REMOTEMEDIA_OFFLINE forbids"):
        ModelStore(tmp_path, offline=True).find(reference)
    assert server.asked == []
    found = ModelStore(tmp_path, offline=False).find(reference)
    assert [each.read_bytes() for each in found.values()] == [CONTENT]
    assert ModelStore(tmp_path, offline=True).find(reference) == found
    assert len(server.asked) == 1


def test_a_cache_that_cannot_be_written(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    file = server.file()
    with pytest.raises(ModelNotFoundError, match=r"Not a directory|File exists"):
        ModelStore(tmp_path / "file", offline=False).find(f"{file.url}#sha256={file.sha256}")
