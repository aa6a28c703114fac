"""Compares what nodes and examples gave out in the two worlds, packet by packet.

    python -m worlds.compare NATIVE_OUTPUTS PYODIDE_OUTPUTS [--partial]

The files come from test_outputs.py. Everything has to be the same, floats bit for bit, but for what
tolerances.toml allows. A stale row of that table fails the comparison too: where less is found than
a tenth of what the row says was measured. ``--partial`` leaves that out, as not everything was run.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from remotemedia import Audio, Json, Packet, wire
from worlds.tolerances import TABLE_FILE, Row, problems, rows

EXAMPLES = "examples/"
MOST = 30  # problems shown

Fields = dict[str, "Measured"]
Runs = dict[str, list[Packet]]
"""Session → what it gave out: ``AudioResample: gaps/0``, ``examples/01-speech-segments: x.wav``."""


class Difference(Exception):  # noqa: N818 - a finding
    """Two things that have to be the same are not."""


class Measured(msgspec.Struct):
    """The floats of one field of one node, all runs together."""

    values: int = 0
    different: int = 0
    maximum: float = 0.0
    run: str = ""
    """Which run has the maximum."""

    def add(self, native: NDArray[np.floating], pyodide: NDArray[np.floating], run: str) -> None:
        self.values += native.size
        if native.tobytes() == pyodide.tobytes():
            return
        bits = np.dtype(f"u{native.itemsize}")
        # The bits of a NaN are the processor's affair. What is infinite has to be the same.
        changed = (native.view(bits) != pyodide.view(bits)) & ~(
            np.isnan(native) & np.isnan(pyodide)
        )
        a, b = native[changed].astype(np.float64), pyodide[changed].astype(np.float64)
        largest = float(np.abs(a - b).max(initial=0.0))
        if not np.isfinite(largest):
            raise Difference("a value is not finite, and another in the other world")
        self.different += int(changed.sum())
        if largest > self.maximum:
            self.maximum, self.run = largest, run


class Comparison:
    """All runs of both worlds."""

    def __init__(self) -> None:
        self.fields: dict[str, Fields] = {}
        self.runs = 0
        self.packets = 0
        self.problems: list[str] = []

    def compare(self, native: Runs, pyodide: Runs) -> None:
        for run in sorted(native.keys() ^ pyodide.keys()):
            self.problems.append(f"{run} ran in one world only")
        for run, packets in native.items():
            others = pyodide.get(run)
            if others is None:
                continue
            self.runs += 1
            if len(packets) != len(others):
                self.problems.append(f"{run}: {len(packets)} packets, {len(others)} in Pyodide")
                continue
            for number, (ours, theirs) in enumerate(zip(packets, others, strict=True)):
                try:
                    self._packet(run, ours, theirs)
                except Difference as difference:
                    self.problems.append(f"{run}, packet {number}: {difference}")
                    break

    def _packet(self, run: str, native: Packet, pyodide: Packet) -> None:
        self.packets += 1
        node = run.partition(": ")[0]
        if node.startswith(EXAMPLES):
            node = f"{node}/{native.node}"
        fields = self.fields.setdefault(node, {})
        for name in ("node", "port", "sequence", "sub_sequence", "generation"):
            exactly(name, getattr(native, name), getattr(pyodide, name))
        ours, theirs = native.data, pyodide.data
        exactly("type", type(ours), type(theirs))
        if isinstance(ours, Audio) and isinstance(theirs, Audio) and ours.format == "F32":
            exactly("format", ours.format, theirs.format)
            exactly("shape", ours.samples.shape, theirs.samples.shape)
            fields.setdefault("samples", Measured()).add(ours.samples, theirs.samples, run)
            theirs = theirs.replace(samples=ours.samples)
        elif isinstance(ours, Json) and isinstance(theirs, Json):
            for field, a, b in floats("", ours.value, theirs.value):
                pair = np.array([a]), np.array([b])
                fields.setdefault(field, Measured()).add(*pair, run)
            theirs = theirs.replace(value=ours.value)
        if not ours.equals(theirs):
            raise Difference(f"{ours!r:.300} is not {theirs!r:.300}")


def exactly(name: str, native: object, pyodide: object) -> None:
    if native != pyodide:
        raise Difference(f"{name} {native!r:.200}, in Pyodide {pyodide!r:.200}")


def floats(field: str, native: object, pyodide: object) -> Iterator[tuple[str, float, float]]:
    """The floats of two JSON values, each with the key it is under; all else has to be the same."""
    exactly(f"type of {field}", type(native), type(pyodide))
    if isinstance(native, float) and isinstance(pyodide, float):
        yield field, native, pyodide
    elif isinstance(native, dict) and isinstance(pyodide, dict):
        exactly(f"keys of {field}", list(native), list(pyodide))
        for key in native:
            yield from floats(key, native[key], pyodide[key])
    elif isinstance(native, list) and isinstance(pyodide, list):
        exactly(f"length of {field}", len(native), len(pyodide))
        for a, b in zip(native, pyodide, strict=True):
            yield from floats(field, a, b)
    else:
        exactly(field, native, pyodide)


def judge(fields: dict[str, Fields], table: list[Row], *, partial: bool) -> Iterator[str]:
    """Print a line per node, or per row that it has in the table; iterate over what is wrong."""
    found = dict.fromkeys(table, 0.0)
    for node, measured in sorted(fields.items()):
        rest = dict(measured)
        for row in table:
            covered = [rest.pop(field) for field in list(rest) if row.covers(node, field)]
            if not covered:
                continue
            worst = max(covered, key=lambda one: one.maximum)
            found[row] = worst.maximum
            different = sum(one.different for one in covered)
            values = sum(one.values for one in covered)
            print(
                f"  {node:<37} {row.field:<17} {worst.maximum:8.2e} of {row.tolerance:8.2e} "
                f"{row.unit}; {different:,} of {values:,} differ"
            )
            if worst.maximum > row.tolerance:
                yield (
                    f"{node} {row.field}: differs by {worst.maximum:g} {row.unit} in {worst.run}; "
                    f"allowed are {row.tolerance:g}"
                )
        for field, one in rest.items():
            if one.different:
                yield (
                    f"{node} {field}: {one.different} of {one.values} values differ, by up to "
                    f"{one.maximum:g} in {one.run}; {TABLE_FILE.name} has no row for it"
                )
        if len(rest) == len(measured):
            values = sum(one.values for one in rest.values())
            what = "NOT equal" if any(one.different for one in rest.values()) else "bit-equal"
            print(f"  {node:<37} {what}" + (f"; {values:,} floats" if values else ""))
    for row, maximum in found.items():
        if not partial and 10 * maximum < row.measured:
            yield (
                f"{TABLE_FILE.name}: {row.node} {row.field}: found is {maximum:g}, measured was "
                f"{row.measured:g}; measure again, or remove the row"
            )


def read(file: str) -> Runs:
    runs: Runs = {}
    path = Path(file)
    if not path.is_file():  # that world did not get so far: all runs of the other are reported
        return runs
    for frame in wire.split(path.read_bytes()):
        run, _, packet = wire.decode(frame)
        assert isinstance(packet, Packet)
        runs.setdefault(run, []).append(packet)
    return runs


def main(native: str, pyodide: str, *options: str) -> int:
    table = rows()
    comparison = Comparison()
    comparison.compare(read(native), read(pyodide))
    print("native against Pyodide, greatest difference:")
    found = [
        *problems(table),
        *judge(comparison.fields, table, partial="--partial" in options),
        *comparison.problems,
    ]
    for problem in found[:MOST]:
        print(problem)
    print(
        f"{comparison.packets:,} packets of {comparison.runs} runs compared, "
        f"{len(table)} tolerances: {len(found)} problems"
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
