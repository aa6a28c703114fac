"""Run a manifest in the browser: serve a page for it here, or export that page.

The page runs the pipeline in this browser; nothing is sent to a server. --export writes all that it
needs as a folder of files, for any static web server.
"""

from __future__ import annotations

import argparse
import webbrowser
from pathlib import Path

import msgspec

from remotemedia.cli.failure import UsageError, warn
from remotemedia.cli.loading import load_pipeline
from remotemedia.cli.stop import Stop
from remotemedia_native.web.export import export
from remotemedia_native.web.server import Server
from remotemedia_native.web.site import Site, find_folder

SUMMARY = "run a pipeline in a browser page, or export that page"
LAST_PORT = 65535
LOCAL = ("127.0.0.1", "localhost", "::1")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("manifest", metavar="MANIFEST", help="YAML or JSON file; - for stdin")
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen at (default: this machine only)"
    )
    parser.add_argument(
        "--port", type=int, default=8000, help="0 takes any that is free (default: 8000)"
    )
    parser.add_argument("--open", action="store_true", help="open the page in your browser")
    parser.add_argument(
        "--no-isolation",
        action="store_true",
        help="leave out the headers for shared memory, to try the page without",
    )
    parser.add_argument("--export", metavar="DIR", type=Path, help="write the page there instead")
    parser.add_argument(
        "--force", action="store_true", help="with --export: replace an earlier export"
    )


def run(options: argparse.Namespace) -> int:
    """Do it."""
    if not 0 <= options.port <= LAST_PORT:
        raise UsageError(f"--port {options.port}: a port is a number from 0 to {LAST_PORT}")
    if options.force and not options.export:
        raise UsageError("--force goes with --export DIR")
    manifest = msgspec.json.encode(load_pipeline(options.manifest).to_dict())
    site = Site(find_folder(), manifest, isolated=not options.no_isolation)
    if options.export:
        export(site, options.export, replace=options.force)
        print(f"wrote {options.export}: its README.md says how to serve it")
        return 0
    return serve(site, options.host, options.port, options.open)


def serve(site: Site, host: str, port: int, show: bool) -> int:
    """Serve until Ctrl-C."""
    with Server(site, host, port) as server:
        print(f"serving at {server.url} (Ctrl-C stops)", flush=True)
        if host not in LOCAL:
            warn("other machines get microphone and shared memory only over https")
        if show:
            webbrowser.open(server.url)
        with Stop() as stop, stop.waiting() as begin:
            if begin:
                server.serve_forever()
    return 0
