"""What it costs to load a manifest, and to refuse a hostile one.

Each case runs in a process of its own, after a small manifest has been loaded: wall time, and the
growth of the peak of resident memory (Linux). In Pyodide, where PyYAML is without libyaml, all run
in one interpreter, which must survive them; there a refusal may take longer.

    .venv/bin/python bench/manifest.py
    .venv/bin/python bench/manifest.py --pyodide
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.build import output_of, run_in_pyodide
from harness.report import Report, spread, versions

SIZE = (1 << 20) - 64  # just under the limit
MAX_MS, MAX_MIB = 100, 50
CHAIN_S, CHAIN_PYODIDE_S = 2, 5
NODES = 10_000
SMALL = "version: v1\nnodes: [{id: a, node_type: PassThrough}]\n"
HEAD = "version: v1\nnodes:\n- id: a\n  node_type: PassThrough\n  params:\n    x: "
JSON_HEAD = '{"version": "v1", "nodes": [{"id": "a", "node_type": "PassThrough", "params": {"x": '


def fill(head: str, unit: Callable[[int], str], size: int = SIZE) -> str:
    """`head` and as many units as fit."""
    parts, length = [head], len(head)
    for index in range(10**7):
        part = unit(index)
        length += len(part)
        if length > size:
            break
        parts.append(part)
    return "".join(parts)


def laughs(levels: int, width: int, padding: int = 0) -> str:
    """Each level stands for `width` times the one before."""
    text = "version: v1\na0: &a0 lol\n" + "#" * padding + "\n"
    for level in range(1, levels + 1):
        text += f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * width)}]\n"
    return text


def chain_yaml() -> str:
    """10,000 nodes in a row."""
    nodes = "".join(
        f"- {{id: n{index}, node_type: Gain, params: {{gain_db: 0.5}}}}\n" for index in range(NODES)
    )
    edges = "".join(f"- {{from: n{index}, to: n{index + 1}}}\n" for index in range(NODES - 1))
    return f"version: v1\nnodes:\n{nodes}connections:\n{edges}"


def chain_json() -> str:
    """The same in JSON."""
    nodes = [
        {"id": f"n{index}", "node_type": "Gain", "params": {"gain_db": 0.5}}
        for index in range(NODES)
    ]
    edges = [{"from": f"n{index}", "to": f"n{index + 1}"} for index in range(NODES - 1)]
    return json.dumps(
        {"version": "v1", "nodes": nodes, "connections": edges}, separators=(",", ":")
    )


BOMBS: dict[str, Callable[[], str]] = {
    "alias 9x9": lambda: laughs(9, 9),
    "alias 9x9, 1 MiB": lambda: laughs(9, 9, SIZE - 600),
    "alias 60 x 16, 1 MiB": lambda: fill(laughs(60, 16), lambda i: f"b{i}: *a60\n"),
    "aliases, 1 MiB": lambda: fill("version: v1\na: &a x\nb:\n", lambda i: "- *a\n"),
    "anchors, 1 MiB": lambda: fill("version: v1\nb:\n", lambda i: f"- &a{i} x\n"),
    "depth 10^6 yaml [": lambda: "[" * 10**6,
    "depth 10^6 yaml {": lambda: HEAD + "{" * 10**6,
    "depth yaml [\\n, 1 MiB": lambda: fill(HEAD, lambda i: "[\n"),
    "depth yaml {a:, 1 MiB": lambda: fill(HEAD, lambda i: "{a: "),
    "depth yaml -, 1 MiB": lambda: fill("", lambda i: "- "),
    "depth yaml ?, 1 MiB": lambda: fill("", lambda i: "? "),
    "depth yaml indent, 1 MiB": lambda: fill("", lambda i: " " * i + "a:\n"),
    "depth 10^6 json [": lambda: '{"version": ' + "[" * 10**6,
    "depth json {, 1 MiB": lambda: fill("", lambda i: '{"a":'),
    "100 MB scalar yaml": lambda: HEAD + "a" * 10**8,
    "100 MB scalar json": lambda: JSON_HEAD + '"' + "a" * 10**8 + '"}}]}',
    "scalar yaml plain, 1 MiB": lambda: fill(HEAD, lambda i: "a" * 64),
    "scalar yaml quoted, 1 MiB": lambda: fill(HEAD + '"', lambda i: "\\u0061") + '"',
    "scalar yaml block, 1 MiB": lambda: fill(HEAD + "|\n", lambda i: "     a\n"),
    "scalar yaml lines, 1 MiB": lambda: fill(HEAD, lambda i: "\n      a"),
    "scalar json, 1 MiB": lambda: fill(JSON_HEAD + '"', lambda i: "a" * 64) + '"}}]}',
    "scalar json escapes, 1 MiB": lambda: fill(JSON_HEAD + '"', lambda i: "\\n") + '"}}]}',
    "digits yaml, 1 MiB": lambda: fill(HEAD, lambda i: "9" * 64),
    "digits json, 1 MiB": lambda: fill(JSON_HEAD, lambda i: "9" * 64) + "}}]}",
    "tag": lambda: HEAD + "!!python/object/apply:os.system [id]\n",
    "tags, 1 MiB": lambda: fill(HEAD + "[", lambda i: "!!int 1,") + "]\n",
    "duplicate key yaml": lambda: HEAD + "1\n  params: {}\n",
    "duplicate keys yaml, 1 MiB": lambda: fill("version: v1\n", lambda i: "a: 1\n"),
    "duplicate keys json, 1 MiB": lambda: fill('{"version":"v1"', lambda i: ',"a":1') + "}",
    "distinct keys yaml, 1 MiB": lambda: fill("version: v1\n", lambda i: f"a{i}:\n"),
    "distinct keys json, 1 MiB": lambda: fill('{"version":"v1"', lambda i: f',"a{i}":1') + "}",
    "NaN yaml": lambda: HEAD + ".nan\n",
    "NaN yaml, 1 MiB": lambda: fill(HEAD + "[", lambda i: ".nan,") + "]\n",
    "NaN json, 1 MiB": lambda: fill(JSON_HEAD + "[", lambda i: "NaN,") + "1]}}]}",
    "1e999 json, 1 MiB": lambda: fill(JSON_HEAD + "[", lambda i: "1e999,") + "1]}}]}",
    "10^6 nodes yaml": lambda: fill(
        "version: v1\nnodes:\n", lambda i: f"- {{id: n{i}, node_type: Gain}}\n", 36 * 10**6
    ),
    "10^6 nodes json": lambda: fill(
        '{"version":"v1","nodes":[', lambda i: f'{{"id":"n{i}","node_type":"Gain"}},', 38 * 10**6
    ),
    "nodes yaml, 1 MiB": lambda: fill(
        "version: v1\nnodes:\n", lambda i: f"- {{id: {i:x}, node_type: A}}\n"
    ),
    "nodes json, 1 MiB": lambda: fill(
        '{"version":"v1","nodes":[', lambda i: f'{{"id":"{i:x}","node_type":"A"}},'
    ),
    "empty nodes yaml, 1 MiB": lambda: fill("version: v1\nnodes: [", lambda i: "{},"),
    "empty nodes json, 1 MiB": lambda: fill('{"version":"v1","nodes":[', lambda i: "{},"),
    "values yaml, 1 MiB": lambda: fill(HEAD + "[", lambda i: "a,"),
    "values json, 1 MiB": lambda: fill(JSON_HEAD + "[", lambda i: "1,"),
    "comments yaml, 1 MiB": lambda: fill(HEAD, lambda i: "#\n"),
    "spaces yaml, 1 MiB": lambda: fill("version: v1\n", lambda i: " "),
    "spaces json, 1 MiB": lambda: fill("{", lambda i: " "),
    "control character yaml, 1 MiB": lambda: fill(HEAD, lambda i: "a" * 64) + "\x07",
}
# As large as what is accepted, so as dear; but wrong.
WRONG: dict[str, Callable[[], str]] = {
    "lists yaml, 1 MiB": lambda: fill(HEAD + "[", lambda i: "[" + "[]," * 99 + "],"),
    "unknown types, 9,999 nodes": lambda: fill(
        "version: v1\nnodes:\n", lambda i: f"- {{id: n{i}, node_type: Gai{i}}}\n" * (i < 9999)
    ),
    "unknown ends, 10,000 nodes": lambda: chain_yaml().replace("{from: n", "{from: m"),
    "cycles, 10,000 nodes": lambda: (
        "version: v1\nnodes:\n"
        + "".join(f"- {{id: n{i}, node_type: Gain}}\n" for i in range(NODES))
        + "connections:\n"
        + "".join(f"- {{from: n{i}, to: n{i ^ 1}}}\n" for i in range(NODES))
    ),
}
CHAINS: dict[str, Callable[[], str]] = {"chain yaml": chain_yaml, "chain json": chain_json}


def peak_kib() -> int:
    """The highest resident memory since it was last cleared; 0 where nobody counts it."""
    status = Path("/proc/self/status")
    for line in status.read_text().splitlines() if sys.platform == "linux" else ():
        if line.startswith("VmHWM"):
            return int(line.split()[1])
    return 0


def measure(name: str, as_file: bool) -> dict[str, Any]:
    """One case, in this process."""
    from remotemedia.errors import ManifestError
    from remotemedia.graph import load

    load(SMALL)
    text = {**BOMBS, **WRONG, **CHAINS}[name]()
    size = len(text)
    source: str | Path = text
    folder = tempfile.TemporaryDirectory()
    if as_file:
        source = Path(folder.name) / "x.yaml"
        source.write_text(text)
        del text
    gc.collect()
    if sys.platform == "linux":
        Path("/proc/self/clear_refs").write_text("5")
    before = peak_kib()
    message = "loaded"
    times = []
    for _ in range(5 if name in CHAINS else 3):
        start = time.perf_counter()
        try:
            load(source)
        except ManifestError as error:
            message = f"{len(error.problems)}: {error.problems[-1]}"
        times.append((time.perf_counter() - start) * 1000)
    return {
        "case": name + (" (file)" if as_file else ""),
        "bytes": size,
        # The first time counts: nobody sends a bomb twice.
        "first_ms": times[0],
        **spread(times),
        "peak_mib": (peak_kib() - before) / 1024,
        "result": message[:110],
    }


def in_own_process(name: str, as_file: bool) -> dict[str, Any]:
    """The same in a process of its own, which may die."""
    command = [sys.executable, __file__, "--case", name, *["--file"] * as_file]
    result: dict[str, Any] = json.loads(output_of(*command))
    return result


def run(file: Path | None, *, pyodide: bool) -> int:
    """All cases; exit code 1 if one is over its bound."""
    report = Report(
        "manifest-pyodide" if pyodide else "manifest", versions=versions("msgspec", "PyYAML")
    )
    cases = [(name, False) for name in [*CHAINS, *BOMBS, *WRONG]]
    cases += [("100 MB scalar yaml", True), ("10^6 nodes yaml", True)]
    if pyodide:  # 100 MB would have to be made there first
        cases = [case for case in cases if not case[0].startswith(("100 MB", "10^6 nodes"))]
    results = [(measure if pyodide else in_own_process)(*case) for case in cases]
    report.body["cases"] = results
    rows = [
        (
            result["case"],
            f"{result['bytes']:,}",
            f"{result['first_ms']:.1f}",
            f"{result['p50']:.1f}",
            f"{result['peak_mib']:.1f}",
            result["result"],
        )
        for result in results
    ]
    report.table(("case", "bytes", "first, ms", "p50, ms", "peak, MiB", "result"), rows)
    of = {result["case"]: result for result in results}
    accepted = sum(of[name]["result"] == "loaded" for name in [*BOMBS, *WRONG] if name in of)
    report.claim("hostile or wrong manifests accepted", accepted, at_most=0)
    bombs = [result for result in results if result["case"].removesuffix(" (file)") in BOMBS]
    if not pyodide:
        worst = max(bombs, key=lambda result: result["first_ms"])
        what = f"slowest refusal ({worst['case']})"
        report.claim(what, worst["first_ms"], at_most=MAX_MS, unit=" ms")
        worst = max(bombs, key=lambda result: result["peak_mib"])
        report.claim(
            f"most memory ({worst['case']})", worst["peak_mib"], at_most=MAX_MIB, unit=" MiB"
        )
    for name in CHAINS:
        bound = CHAIN_PYODIDE_S if pyodide else CHAIN_S
        what = f"{name}, {NODES:,} nodes, loaded and checked"
        report.claim(what, of[name]["first_ms"] / 1000, at_most=bound, unit=" s")
    return report.end(file)


def main() -> int:
    """Run; exit code 1 if a claim is not met."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", type=Path, help="keep the figures in this file")
    parser.add_argument("--pyodide", action="store_true", help="run inside Pyodide under Node")
    parser.add_argument("--case", help=argparse.SUPPRESS)
    parser.add_argument("--file", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        print(json.dumps(measure(options.case, options.file)))
        return 0
    if options.pyodide:
        return run_in_pyodide(Path(__file__).name, options.json)
    return run(options.json, pyodide=sys.platform == "emscripten")


if __name__ == "__main__":
    sys.exit(main())
