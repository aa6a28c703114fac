"""Reports: machine, versions, tables, claims and JSON, the same for every benchmark.

Runs in Pyodide as well.
"""

from __future__ import annotations

import importlib.metadata
import json
import math
import os
import platform
import statistics
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

REPOSITORY = Path(__file__).resolve().parents[2]
RESULTS = REPOSITORY / "bench" / "results"


def machine() -> dict[str, object]:
    """Where this runs. The load is that of the last minute: other programs, for the most part."""
    info: dict[str, object] = {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "platform": platform.platform(),
    }
    if sys.platform == "linux":
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
        load = round(os.getloadavg()[0], 2)
        info |= {"cpu": models[0] if models else "?", "cores": os.cpu_count(), "load": load}
    return info


def versions(*distributions: str) -> dict[str, str]:
    """Versions of installed distributions; of ours too, always."""
    return {name: importlib.metadata.version(name) for name in ("remotemedia", *distributions)}


def percentile(values: Sequence[float], percent: float) -> float:
    """The value at that rank (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def spread(values: Sequence[float]) -> dict[str, float]:
    """n, p50, p99 and max."""
    return {
        "n": len(values),
        "p50": statistics.median(values),
        "p99": percentile(values, 99),
        "max": max(values),
    }


def quartiles(values: Sequence[float]) -> dict[str, float]:
    """n, p25, p50 and p75: a figure, and how far the machine's noise moves it."""
    return {
        "n": len(values),
        "p25": percentile(values, 25),
        "p50": statistics.median(values),
        "p75": percentile(values, 75),
    }


def in_turns(works: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each, in each round; every other round begins with the last."""
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for number in range(rounds):
        for name in list(works) if number % 2 else list(works)[::-1]:
            start = perf_counter()
            works[name]()
            seconds[name].append(perf_counter() - start)
    return seconds


def ratios(ours: Iterable[float], theirs: Iterable[float]) -> dict[str, float]:
    """Quartiles of the ratios of rates, round by round, from the seconds that each round took."""
    return quartiles([other / mine for mine, other in zip(ours, theirs, strict=True)])


class Report:
    """Collects what a benchmark found, prints it, and keeps it as JSON.

    Parameters
    ----------
    name : str
        Of the benchmark; also of its file in bench/results.
    **facts
        What was measured and how: versions, n.
    """

    def __init__(self, name: str, **facts: object) -> None:
        self.body: dict[str, object] = {
            "bench": name,
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": machine(),
            **facts,
        }
        self._claims: list[dict[str, object]] = []
        print(f"{name}: {_line(machine())}")
        for key, value in facts.items():
            print(f"  {key}: {_line(value) if isinstance(value, Mapping) else value}")

    def table(self, head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Print a table; all columns but the first are aligned to the right."""
        lines = [head, *rows]
        widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
        print()
        for line in lines:
            cells = [line[0].ljust(widths[0])]
            cells += [cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)]
            print("  ".join(cells).rstrip())
        print()

    def claim(
        self,
        what: str,
        measured: float,
        at_least: float | None = None,
        at_most: float | None = None,
        unit: str = "",
    ) -> None:
        """Compare a figure with what is required of it."""
        met = (at_least is None or measured >= at_least) and (
            at_most is None or measured <= at_most
        )
        bound = f"≥ {at_least:g}" if at_least is not None else f"≤ {at_most:g}"
        word = "met   " if met else "MISSED"
        print(f"{word} {what}: {measured:.4g}{unit} (required {bound}{unit})")
        self._claims.append(
            {"claim": what, "measured": measured, "required": bound, "unit": unit, "met": met}
        )

    def end(self, file: Path | None = None) -> int:
        """Write the JSON, if a file is given; give the exit code: 1 if a claim is not met."""
        self.body["claims"] = self._claims
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(_rounded(self.body), indent=1, ensure_ascii=False) + "\n")
        return 0 if all(claim["met"] for claim in self._claims) else 1


def _line(values: Mapping[str, object]) -> str:
    return ", ".join(f"{key} {value}" for key, value in values.items())


def _rounded(value: object) -> object:
    """Four significant digits: what the machine's noise leaves."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, Mapping):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(item) for item in value]
    return value
