"""The server of the end-to-end tests: several folders under one address, with the headers of a test."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ISOLATED = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
}
POLICY = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'"
"""What the issue asks for; the tests run under it."""

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".css": "text/css",
    ".json": "application/json",
    ".wasm": "application/wasm",
    ".wav": "audio/wav",
    ".svg": "image/svg+xml",
}


@dataclass
class Answer:
    """What is answered instead of a file."""

    status: int = 200
    content: bytes = b""
    content_type: str = "application/octet-stream"
    gate: threading.Event | None = None
    """The last twentieth is sent once it is set."""


@dataclass
class Site:
    """A server that is running.

    Attributes
    ----------
    folders : mapping of str to Path
        Prefix of the address → folder.
    headers : dict of str to str
        Of every answer.
    special : mapping of str to callable
        Address → what to answer instead of a file.
    posted : dict of str to bytes
        What pages have posted.
    requests : list of str
        Every address that was asked for.
    """

    address: str
    folders: Mapping[str, Path]
    headers: dict[str, str]
    special: dict[str, Callable[[], Answer]] = field(default_factory=dict)
    posted: dict[str, bytes] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def wait_for(self, path: str, lines: int) -> list[str]:
        """The lines of text that a page has posted there, once there are so many."""
        with self.changed:
            enough = self.changed.wait_for(
                lambda: self.posted.get(path, b"").count(b"\n") >= lines, timeout=40
            )
        assert enough, f"{path} has {self.posted.get(path, b'')!r}"
        return self.posted[path].decode().splitlines()

    def find(self, path: str) -> Path | None:
        for prefix, folder in sorted(self.folders.items(), key=lambda item: -len(item[0])):
            if path.startswith(prefix):
                file = (folder / path.removeprefix(prefix)).resolve()
                if file.is_relative_to(folder.resolve()) and file.is_file():
                    return file
        return None


@contextmanager
def serving(folders: Mapping[str, Path], headers: Mapping[str, str]) -> Iterator[Site]:
    """Serve until the end of the block."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            site.requests.append(path)
            if path in site.special:
                self.reply(site.special[path]())
                return
            file = site.find(path)
            if file is None:
                self.reply(Answer(404, b"not found", "text/plain"))
            else:
                kind = TYPES.get(file.suffix, "application/octet-stream")
                self.reply(Answer(200, file.read_bytes(), kind))

        do_HEAD = do_GET  # noqa: N815 - the base class's name

        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            with site.changed:
                site.posted[self.path] = site.posted.get(self.path, b"") + content
                site.changed.notify_all()
            self.reply(Answer(204))

        def reply(self, answer: Answer) -> None:
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.content_type)
            self.send_header("Content-Length", str(len(answer.content)))
            self.send_header("Cache-Control", "no-cache")
            for name, value in site.headers.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                first = len(answer.content) * 19 // 20
                self.wfile.write(answer.content[:first])
                if answer.gate is not None:
                    answer.gate.wait(40)
                self.wfile.write(answer.content[first:])

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    site = Site(f"http://127.0.0.1:{server.server_port}", folders, dict(headers))
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
