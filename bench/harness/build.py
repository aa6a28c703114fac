"""The wheel that users get."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from harness.report import REPOSITORY, machine


def output_of(*command: str | Path) -> str:
    """What a program prints; its errors go to the terminal."""
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def build_wheel() -> Path:
    """Build the wheel into dist/."""
    output_of(REPOSITORY / "scripts" / "build")
    (wheel,) = (REPOSITORY / "dist").glob("remotemedia-*.whl")
    return wheel


def run_in_pyodide(script: str, file: Path | None, *arguments: str) -> int:
    """Run a script of bench/ inside Pyodide, on the built wheel.

    Its JSON goes into a file, with what is known of the host beside it.
    """
    dist = output_of(sys.executable, REPOSITORY / "scripts" / "pyodide_dist.py")
    host = {**machine(), "node": output_of("node", "--version")}
    print("Pyodide under Node:", ", ".join(f"{key} {value}" for key, value in host.items()))
    runner = REPOSITORY / "bench" / "harness" / "pyodide.mjs"
    with tempfile.TemporaryDirectory() as out:
        inside = [dist, build_wheel(), out, script, *arguments, "--json", "/out/result.json"]
        done = subprocess.run(["node", runner, *inside], check=False)
        written = Path(out) / "result.json"
        if file is not None and written.exists():
            body = {**json.loads(written.read_text()), "host": host}
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(body, indent=1, ensure_ascii=False) + "\n")
    return done.returncode
