"""The wheel that users get."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from harness.report import REPOSITORY


def output_of(*command: str | Path) -> str:
    """What a program prints; its errors go to the terminal."""
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def build_wheel() -> Path:
    """Build the wheel into dist/."""
    output_of(REPOSITORY / "scripts" / "build")
    (wheel,) = (REPOSITORY / "dist").glob("remotemedia-*.whl")
    return wheel


def run_in_pyodide(script: str, file: Path | None) -> int:
    """Run a script of bench/ inside Pyodide, on the built wheel; its JSON goes into a file."""
    dist = output_of(sys.executable, REPOSITORY / "scripts" / "pyodide_dist.py")
    runner = REPOSITORY / "bench" / "harness" / "pyodide.mjs"
    with tempfile.TemporaryDirectory() as out:
        inside = [dist, build_wheel(), out, script, "--json", "/out/result.json"]
        done = subprocess.run(["node", runner, *inside], check=False)
        written = Path(out) / "result.json"
        if file is not None and written.exists():
            shutil.copy(written, file)
    return done.returncode
