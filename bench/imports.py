"""What it costs to import the package, and how big its wheel is.

The built wheel is unpacked and imported in fresh processes, with its bytecode compiled, in turns
with processes that import numpy alone. The cost is what `import remotemedia` takes in a process
that has numpy; the difference between whole processes is the check on it. Beside it, for
information: the first `Pipeline`, which is what the lazy door puts off, and the first run.

    .venv/bin/python bench/imports.py
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import statistics
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from time import perf_counter

from harness.build import build_wheel
from harness.report import Report, spread, versions

MAX_MS, MAX_BYTES = 40, 150_000
PROGRAM = """
from time import perf_counter
import sys
import numpy
times = [perf_counter()]
if sys.argv[1] == "remotemedia":
    import remotemedia as rm
    times.append(perf_counter())
    assert rm.__file__.startswith(sys.argv[2]), rm.__file__
if sys.argv[1] == "run":
    import remotemedia as rm
    p = rm.Pipeline()
    times.append(perf_counter())
    p.add("Gain")
    list(p.run([rm.Audio(numpy.zeros(960, numpy.float32), 48000)]))
    times.append(perf_counter())
print([after - before for before, after in zip(times, times[1:])])
"""


def start(what: str, site: Path) -> tuple[float, list[float]]:
    """Run a process: its wall time and the times that it measured itself, s."""
    command = [sys.executable, "-c", PROGRAM, what, str(site)]
    environment = {**os.environ, "PYTHONPATH": str(site)}
    before = perf_counter()
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return perf_counter() - before, json.loads(done.stdout)


def main() -> int:
    """Run; exit code 1 if a claim is not met."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--json", type=Path, help="keep the figures in this file")
    options = parser.parse_args()
    wheel = build_wheel()
    size = wheel.stat().st_size
    report = Report(
        "imports", versions=versions("numpy", "msgspec", "PyYAML"), n=f"{options.rounds} rounds"
    )
    figures: dict[str, list[float]] = {
        "process: import numpy": [],
        "process: import numpy, remotemedia": [],
        "import remotemedia": [],
        "import and Pipeline()": [],
        "first run of a Gain": [],
    }
    with tempfile.TemporaryDirectory() as folder:
        site = Path(folder)
        zipfile.ZipFile(wheel).extractall(site)
        compileall.compile_dir(site, quiet=1)
        for number in range(options.rounds + 1):
            numpy_s, _ = start("numpy", site)
            ours_s, (import_s,) = start("remotemedia", site)
            _, (first_s, run_s) = start("run", site)
            if number:  # the first reads the files from the disk
                times = [numpy_s, ours_s, import_s, first_s, run_s]
                for found, seconds in zip(figures.values(), times, strict=True):
                    found.append(seconds * 1e3)
    spreads = {name: spread(found) for name, found in figures.items()}
    keys = ["p50", "p99", "max"]
    rows = [[name, *(f"{figure[key]:.1f}" for key in keys)] for name, figure in spreads.items()]
    report.table(["ms", *keys], rows)
    alone, both = list(figures.values())[:2]
    difference = statistics.median(b - a for a, b in zip(alone, both, strict=True))
    ratio = statistics.median(b / a for a, b in zip(alone, both, strict=True))
    print(f"process with remotemedia - process without: {difference:.1f} ms, ratio {ratio:.2f}")
    report.body |= {
        "ms": spreads,
        "process_difference_ms": difference,
        "process_ratio": ratio,
        "wheel_bytes": size,
    }
    cost = spreads["import remotemedia"]["p50"]
    report.claim("import remotemedia after numpy", cost, at_most=MAX_MS, unit=" ms")
    report.claim("process difference", difference, at_most=MAX_MS, unit=" ms")
    report.claim("wheel", size / 1000, at_most=MAX_BYTES / 1000, unit=" kB")
    return report.end(options.json)


if __name__ == "__main__":
    sys.exit(main())
