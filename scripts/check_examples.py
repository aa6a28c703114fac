"""Runs every example and compares what it prints with what its README shows, byte by byte.

The picture of the graph is compared, too.

    check_examples.py [--runs N]

With ``--runs`` each is run N times, and everything that it prints and writes has to be the same
each time. The first block of ``text`` in ``examples/*/README.md`` is what `remotemedia run` prints
for the manifest beside it and the recording of the demo; or the program beside it, if there is one.
Of a manifest that is not called ``pipeline.yaml`` only the picture is compared: what it prints
depends on the processor, and is looked at by tests/native.
"""

from __future__ import annotations

import argparse
import difflib
import hashlib
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from artefacts import REPOSITORY
from fetch_recordings import fetch

RECORDING = "two_cities.wav"


def run(manifest: Path, recording: Path) -> tuple[str, str]:
    """What one run prints, and a hash of all the bytes that it gives out."""
    with tempfile.TemporaryDirectory() as folder:
        audio, events = Path(folder) / "out.wav", Path(folder) / "out.jsonl"
        command = [sys.executable, "-m", "remotemedia", "run", str(manifest), "-i", str(recording)]
        printed = subprocess.run(
            [*command, "-q", "-o", str(audio)], check=True, capture_output=True, text=True
        ).stdout
        subprocess.run([*command, "-q", "-o", str(events)], check=True, capture_output=True)
        everything = printed.encode() + audio.read_bytes() + events.read_bytes()
    return printed, hashlib.sha256(everything).hexdigest()


def run_program(program: Path, recording: Path) -> tuple[str, str]:
    """What an example prints that is a program of its own, and a hash of it."""
    command = [sys.executable, str(program), str(recording)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return printed, hashlib.sha256(printed.encode()).hexdigest()


def graph(manifest: Path) -> str:
    command = [sys.executable, "-m", "remotemedia", "graph", str(manifest)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def shown(readme: Path, block: str) -> str:
    match = re.search(rf"^```{block}\n(.*?)^```", readme.read_text(), re.MULTILINE | re.DOTALL)
    return match[1] if match else ""


def draws(manifest: Path, readme: Path) -> bool:
    """Whether its picture is that of the README; says so."""
    same = graph(manifest) == shown(readme, "mermaid")
    said = "prints what its README shows" if same else "its README shows another graph"
    print(f"{readme.parent.name}: {said}, as far as its graph goes")
    return same


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1)
    runs = parser.parse_args().runs
    recording = fetch() / RECORDING
    failed = False
    for readme in sorted(REPOSITORY.glob("examples/*/README.md")):
        name = readme.parent.name
        manifest = readme.parent / "pipeline.yaml"
        programs = list(readme.parent.glob("*.py"))
        if not programs and not manifest.is_file():
            failed |= not draws(next(readme.parent.glob("*.yaml")), readme)
            continue
        results = [
            run_program(programs[0], recording) if programs else run(manifest, recording)
            for _ in range(runs)
        ]
        printed, digest = results[0]
        picture = "" if programs else graph(manifest)
        difference = list(
            difflib.unified_diff(
                (shown(readme, "mermaid") + shown(readme, "text")).splitlines(),
                (picture + printed).splitlines(),
                "README.md",
                "now",
                lineterm="",
            )
        )
        different = len(set(results)) - 1
        failed |= bool(difference or different)
        print("\n".join(difference) or f"{name}: prints what its README shows")
        if runs > 1:
            same = "all byte-identical" if not different else f"{different + 1} DIFFERENT results"
            print(f"{name}: {runs} runs, {same} (SHA-256 {digest[:16]})")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
