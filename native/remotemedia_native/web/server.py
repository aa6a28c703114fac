"""The HTTP server behind ``remotemedia web``: static files, with the headers that Python needs."""

from __future__ import annotations

import errno
import os
import socket
import socketserver
import sys
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from remotemedia.cli.failure import CommandError
from remotemedia_native.web import byte_range, headers
from remotemedia_native.web.site import MANIFEST, Site

IDLE_TIMEOUT_S = 60


class Server(ThreadingHTTPServer):
    """Serves one site. The socket is bound when this is made; `serve_forever` answers.

    Parameters
    ----------
    site : Site
        What to serve.
    host, port
        Where; port 0 means any that is free.

    Raises
    ------
    CommandError
        The port is taken, or the host is not this machine's.
    """

    daemon_threads = True
    request_queue_size = 128
    # On Windows it would let two programs have one port.
    allow_reuse_address = os.name != "nt"

    def __init__(self, site: Site, host: str, port: int) -> None:
        self.site = site
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            super().__init__((host, port), Handler)
        except OSError as error:
            raise CommandError(_why_not(error, host, port)) from error

    def server_bind(self) -> None:
        """Bind, without the look-up of the host's name, which may take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]

    def handle_error(self, request: object, client_address: object) -> None:
        """Keep quiet about browsers that went away."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]

    @property
    def url(self) -> str:
        """The address of the page."""
        host, port = self.server_address[:2]
        name = host.decode() if isinstance(host, bytes | bytearray) else host
        return f"http://{f'[{name}]' if ':' in name else name}:{port}/"


class Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD."""

    protocol_version = "HTTP/1.1"
    server_version = "remotemedia"
    sys_version = ""
    timeout = IDLE_TIMEOUT_S
    server: Server

    def do_GET(self) -> None:
        """Answer with a file, a part of it, or that it has not changed."""
        site = self.server.site
        path = site.find(self.path)
        if path is None:
            self.send_error(HTTPStatus.NOT_FOUND)
        elif path == MANIFEST:
            self._answer(HTTPStatus.OK, path, {"Content-Length": str(len(site.manifest))})
            if self.command == "GET":
                self.wfile.write(site.manifest)
        else:
            self._send_file(path)

    do_HEAD = do_GET  # noqa: N815

    def _send_file(self, path: str) -> None:
        try:
            file = (self.server.site.folder / path).open("rb")
        except OSError:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        with file:
            about = os.fstat(file.fileno())
            tag = f'"{about.st_mtime_ns:x}-{about.st_size:x}"'
            described = {"ETag": tag, "Accept-Ranges": "bytes"}
            if tag in (self.headers.get("If-None-Match") or ""):
                self._answer(HTTPStatus.NOT_MODIFIED, path, described)
                return
            wanted = self.headers.get("Range")
            if self.headers.get("If-Range", tag) != tag:
                wanted = None
            try:
                part = byte_range.parse(wanted, about.st_size)
            except byte_range.NotSatisfiableError:
                self._answer(
                    HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
                    path,
                    {"Content-Range": f"bytes */{about.st_size}", "Content-Length": "0"},
                )
                return
            start, count = part or (0, about.st_size)
            described["Content-Length"] = str(count)
            if part:
                last = start + count - 1
                described["Content-Range"] = f"bytes {start}-{last}/{about.st_size}"
            self._answer(HTTPStatus.PARTIAL_CONTENT if part else HTTPStatus.OK, path, described)
            if self.command == "GET" and count:
                self.connection.sendfile(file, start, count)

    def _answer(self, status: HTTPStatus, path: str, described: Mapping[str, str]) -> None:
        self.send_response(status)
        self.send_header("Content-Type", headers.content_type(path))
        self.send_header("Cache-Control", headers.cache_control(path))
        for name, value in described.items():
            self.send_header(name, value)
        self.end_headers()

    def end_headers(self) -> None:
        """Close the head of any answer, with what all have in common."""
        for name, value in headers.common(self.server.site.isolated).items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Say nothing: the page shows what it could not load."""


def _why_not(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"port {port} is taken by another program: choose another one with --port, "
            "or let any free one be taken with --port 0"
        )
    if error.errno == errno.EACCES:
        return f"port {port} may not be used by you: choose one from 1024 up with --port"
    return f"cannot listen at {host} port {port}: {error.strerror or error}"
