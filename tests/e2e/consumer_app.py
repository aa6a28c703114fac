"""The app of fixtures/vite with the package in its node_modules, as npm would put it there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tarfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
WASM = REPOSITORY / "wasm"
TOOLS = WASM / "node_modules"
FIXTURES = Path(__file__).parent / "fixtures"


def pack(web: Path, target: Path) -> Path:
    """The package as it is published, from these built files; gives the unpacked folder."""
    source = target / "source"
    source.mkdir(parents=True)
    for name in ("package.json", "README.md", "LICENSE"):
        shutil.copy(WASM / name, source)
    shutil.copytree(web, source / "dist")
    run("npm", "pack", "--offline", "--silent", f"--pack-destination={target}", cwd=source)
    (archive,) = target.glob("*.tgz")
    with tarfile.open(archive) as packed:
        packed.extractall(target, filter="data")
    return target / "package"


def install(package: Path, app: Path) -> Path:
    """A copy of the fixture with all that it depends on."""
    shutil.copytree(FIXTURES / "vite", app)
    modules = app / "node_modules"
    shutil.copytree(package, modules / "@remotemedia" / "web")
    (modules / "vite").symlink_to(TOOLS / "vite")
    return app


def build(app: Path) -> Path:
    """Give the folder that `vite build` makes."""
    run("node", TOOLS / "vite" / "bin" / "vite.js", "build", "--logLevel=warn", cwd=app)
    return app / "dist"


@contextmanager
def developing(app: Path, headers: Mapping[str, str]) -> Iterator[str]:
    """Run `vite dev` until the end of the block; gives its address."""
    log = app / "dev.log"
    command = ["node", str(TOOLS / "vite" / "bin" / "vite.js"), "--host=127.0.0.1", "--port=0"]
    environment = {**os.environ, "PAGE_HEADERS": json.dumps(dict(headers)), "NO_COLOR": "1"}
    with log.open("w") as out:
        server = subprocess.Popen(command, cwd=app, env=environment, stdout=out, stderr=out)
    try:
        yield _address(server, log)
    finally:
        server.terminate()
        server.wait(10)


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def _address(server: subprocess.Popen[bytes], log: Path) -> str:
    for _ in range(300):
        text = log.read_text()
        for word in text.split():
            if word.startswith("http://127.0.0.1:"):
                urllib.request.urlopen(word, timeout=30).close()
                return word.rstrip("/")
        assert server.poll() is None, text
        time.sleep(0.1)
    raise AssertionError(f"vite does not start: {log.read_text()}")
