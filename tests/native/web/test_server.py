"""The server of ``remotemedia web``, asked over a real socket."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from remotemedia.cli.failure import CommandError
from remotemedia_native.web import byte_range
from remotemedia_native.web.headers import cache_control
from remotemedia_native.web.server import Server
from remotemedia_native.web.site import Site

MANIFEST = b'{"version":"v1","nodes":[]}'
CLIP = bytes(range(256))


class Answer(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    body: bytes


class Client:
    """Asks with the target as it is written, which other clients would tidy up."""

    def __init__(self, server: Server) -> None:
        host, port = server.server_address[:2]
        self.connection = http.client.HTTPConnection(str(host), port, timeout=10)

    def get(
        self, target: str, headers: Mapping[str, str] | None = None, method: str = "GET"
    ) -> Answer:
        self.connection.request(method, target, headers=dict(headers or {}))
        answer = self.connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read())


def serving(site: Site) -> Iterator[Client]:
    with Server(site, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        client = Client(server)
        yield client
        client.connection.close()
        server.shutdown()
        thread.join()


@pytest.fixture
def client(site_folder: Path) -> Iterator[Client]:
    yield from serving(Site(site_folder, MANIFEST))


@pytest.fixture
def plain_client(site_folder: Path) -> Iterator[Client]:
    yield from serving(Site(site_folder, MANIFEST, isolated=False))


def test_the_page_is_isolated_and_runs_only_what_is_served_here(client):
    answer = client.get("/")
    assert (answer.status, answer.body) == (200, b"<!doctype html>")
    expected = {
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Embedder-Policy": "require-corp",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Content-Security-Policy": "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; "
        "worker-src 'self'; media-src 'self' blob:; img-src 'self' data: blob:",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-cache",
    }
    assert {name: answer.headers[name] for name in expected} == expected


def test_an_error_has_the_same_headers(client):
    answer = client.get("/nothing.js")
    assert answer.status == 404
    assert answer.headers["Cross-Origin-Embedder-Policy"] == "require-corp"
    assert "script-src 'self'" in answer.headers["Content-Security-Policy"]


def test_without_isolation(plain_client):
    answer = plain_client.get("/index.html")
    assert answer.status == 200
    assert "Cross-Origin-Opener-Policy" not in answer.headers
    assert "Cross-Origin-Embedder-Policy" not in answer.headers
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    # The worker would isolate the page after all.
    assert plain_client.get("/service-worker.js").status == 404


@pytest.mark.parametrize(
    ("path", "type_"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/manifest.json", "application/json"),
        ("/service-worker.js", "text/javascript; charset=utf-8"),
        ("/pyodide/pyodide.mjs", "text/javascript; charset=utf-8"),
        ("/pyodide/pyodide.asm.wasm", "application/wasm"),
        (
            "/pyodide/numpy-2.4.3-cp314-cp314-pyemscripten_2026_0_wasm32.whl",
            "application/zip",
        ),
        ("/assets/remotemedia-0.1.0-py3-none-any.whl-CqZ3dK-7.xz", "application/x-xz"),
        ("/clip.wav", "audio/wav"),
    ],
)
def test_types(client, path, type_):
    answer = client.get(path)
    assert (answer.status, answer.headers["Content-Type"]) == (200, type_)
    assert "Content-Encoding" not in answer.headers


def test_the_manifest(client):
    answer = client.get("/manifest.json?again")
    assert (answer.status, answer.body) == (200, MANIFEST)
    assert answer.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize(
    "target",
    [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/assets/../../secret.txt",
        "/assets/%2e%2e%2f%2e%2e%2fsecret.txt",
        "/..\\secret.txt",
        "/..%5csecret.txt",
        "//etc/passwd",
        "/%2fetc/passwd",
        "/C:/secret.txt",
        "/way-out.txt",
        "/.hidden",
        "/index.html%00.js",
        "/index.html/",
        "/assets/",
        "/assets",
        "secret.txt",
        "/" + "a" * 5000,
    ],
)
def test_nothing_but_the_files_of_the_site(client, target):
    answer = client.get(target)
    assert answer.status == 404
    assert b"secret" not in answer.body


def test_names_are_unquoted(client):
    assert client.get("/folder%20with%20%C3%BC/a.json").body == b"{}"


def test_what_is_named_by_its_hash_is_kept(client):
    answer = client.get("/assets/index-D3adB_ef.js")
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"


@pytest.mark.parametrize(
    "path",
    [
        "index.html",
        "pyodide/pyodide.mjs",
        "assets/index.js",
        "assets/remotemedia-0.1.0-py3-none-any.whl.xz",
        "other/assets/index-D3adB_ef.js",
    ],
)
def test_everything_else_is_asked_for_again(path):
    assert cache_control(path) == "no-cache"


def test_an_unchanged_file_is_not_sent_again(client, site_folder):
    tag = client.get("/clip.wav").headers["ETag"]
    answer = client.get("/clip.wav", {"If-None-Match": f'"other", {tag}'})
    assert (answer.status, answer.body) == (304, b"")
    assert answer.headers["ETag"] == tag
    (site_folder / "clip.wav").write_bytes(b"another")
    answer = client.get("/clip.wav", {"If-None-Match": tag})
    assert (answer.status, answer.body) == (200, b"another")


@pytest.mark.parametrize(
    ("wanted", "content_range", "body"),
    [
        ("bytes=0-0", "bytes 0-0/256", CLIP[:1]),
        ("bytes=10-19", "bytes 10-19/256", CLIP[10:20]),
        ("bytes=250-", "bytes 250-255/256", CLIP[250:]),
        ("bytes=250-9999", "bytes 250-255/256", CLIP[250:]),
        ("bytes=-6", "bytes 250-255/256", CLIP[250:]),
        ("bytes=-9999", "bytes 0-255/256", CLIP),
    ],
)
def test_a_part_of_a_file(client, wanted, content_range, body):
    answer = client.get("/clip.wav", {"Range": wanted})
    assert (answer.status, answer.body) == (206, body)
    assert answer.headers["Content-Range"] == content_range
    assert answer.headers["Content-Length"] == str(len(body))


@pytest.mark.parametrize("wanted", ["bytes=256-", "bytes=300-400", "bytes=-0"])
def test_a_part_behind_the_end(client, wanted):
    answer = client.get("/clip.wav", {"Range": wanted})
    assert (answer.status, answer.headers["Content-Range"]) == (416, "bytes */256")
    assert client.get("/clip.wav").body == CLIP  # the connection goes on


@pytest.mark.parametrize("wanted", ["bytes=5-3", "bytes=-", "bytes=0-1,5-6", "lines=1-2", "x"])
def test_other_ranges_get_the_whole_file(client, wanted):
    answer = client.get("/clip.wav", {"Range": wanted})
    assert (answer.status, answer.body) == (200, CLIP)


def test_a_part_of_what_has_changed_is_the_whole(client):
    tag = client.get("/clip.wav").headers["ETag"]
    part = {"Range": "bytes=0-0"}
    assert client.get("/clip.wav", {**part, "If-Range": tag}).status == 206
    assert client.get("/clip.wav", {**part, "If-Range": '"old"'}).status == 200


def test_the_range_of_an_empty_file():
    assert byte_range.parse(None, 0) is None
    with pytest.raises(byte_range.NotSatisfiableError):
        byte_range.parse("bytes=0-", 0)


def test_head_and_empty_files(client):
    answer = client.get("/clip.wav", method="HEAD")
    assert (answer.status, answer.body, answer.headers["Content-Length"]) == (200, b"", "256")
    answer = client.get("/manifest.json", method="HEAD")
    assert (answer.body, answer.headers["Content-Length"]) == (b"", str(len(MANIFEST)))
    assert client.get("/empty.txt").body == b""
    assert client.get("/clip.wav").body == CLIP


def test_nothing_can_be_written(client):
    assert client.get("/index.html", method="POST").status == 501


def test_a_port_that_is_taken(site_folder):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CommandError, match=rf"port {port} is taken .*--port 0"):
            Server(Site(site_folder, MANIFEST), "127.0.0.1", port)


def test_a_host_that_is_not_here(site_folder):
    with pytest.raises(CommandError, match=r"cannot listen at 192\.0\.2\.1 port 0"):
        Server(Site(site_folder, MANIFEST), "192.0.2.1", 0)


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6")
def test_ipv6(site_folder):
    try:
        server = Server(Site(site_folder, MANIFEST), "::1", 0)
    except CommandError:
        pytest.skip("no IPv6")
    with server:
        assert re.fullmatch(r"http://\[::1\]:\d+/", server.url)


COMMAND = [sys.executable, "-m", "remotemedia", "web"]


@pytest.fixture
def manifest_file(tmp_path: Path) -> Path:
    file = tmp_path / "gain.yaml"
    file.write_text("{version: v1, nodes: [{id: gain, node_type: Gain, params: {gain_db: -6}}]}")
    return file


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_serves_until_it_is_stopped(site_folder, manifest_file, number):
    process = subprocess.Popen(
        [*COMMAND, manifest_file, "--port", "0"],
        env={**os.environ, "REMOTEMEDIA_WEB_SITE": str(site_folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    found = re.fullmatch(r"serving at http://127\.0\.0\.1:(\d+)/ \(Ctrl-C stops\)\n", line)
    assert found, line
    connection = http.client.HTTPConnection("127.0.0.1", int(found[1]), timeout=10)
    connection.request("GET", "/manifest.json")
    nodes = json.loads(connection.getresponse().read())["nodes"]
    assert nodes == [{"id": "gain", "node_type": "Gain", "params": {"gain_db": -6}}]
    process.send_signal(number)  # while a connection is still open
    out, error = process.communicate(timeout=20)
    connection.close()
    assert (process.returncode, out, error) == (0, "", "")


def command(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_what_to_do_when_the_app_is_not_built(manifest_file, tmp_path):
    done = command(manifest_file, REMOTEMEDIA_WEB_SITE=str(tmp_path))
    assert done.returncode == 1
    assert f"REMOTEMEDIA_WEB_SITE={tmp_path}: that folder has no index.html" in done.stderr


def test_wrong_use(manifest_file, tmp_path):
    assert command(manifest_file, "--port", "70000").returncode == 2
    assert command(manifest_file, "--force").returncode == 2
    broken = tmp_path / "broken.yaml"
    broken.write_text("{version: v1, nodes: [{id: gain, node_type: Gian}]}")
    done = command(broken)
    assert done.returncode == 2
    assert "Gain" in done.stderr
