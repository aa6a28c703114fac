"""The wheel that users get."""

from __future__ import annotations

import subprocess
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
