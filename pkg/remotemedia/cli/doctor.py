"""What works on this machine, and the fix for what does not.

Exit code 1 if something is broken that the core needs; what is only missing is no failure.
"""

from __future__ import annotations

import argparse
import itertools
import os
import platform
import re
import shutil
import sys
import time
from collections.abc import Iterator
from typing import Literal

import msgspec

from remotemedia.cli.commands import BUILT_IN, plugins
from remotemedia.cli.terminal import paint, printable
from remotemedia.registry import default_registry, entry_points

ENTRY_POINT_GROUP = "remotemedia.checks"
"""Functions of other packages: given whether to clean up, they give `Check`s."""

SUMMARY = BUILT_IN["doctor"]

MIN_PYTHON = (3, 11)
MIN_SHM = 64 << 20  # bytes: some seconds of audio for some dozen processes
COARSE_CLOCK_S = 20e-6  # the latency of a light node vanishes below it
TRIES = 2_000  # readings of a clock

_PACKAGE = re.compile(r"[A-Za-z0-9_.-]+")
_LEAST = re.compile(r">=\s*([0-9.]+)")
_EXTRA = re.compile(r"extra\s*==\s*['\"]([\w-]+)['\"]")

Status = Literal["ok", "missing", "warning", "broken"]
_COLOURS = {"ok": "green", "missing": "dim", "warning": "yellow", "broken": "red"}


class Check(msgspec.Struct, frozen=True):
    """One finding: what, how it is, and the fix if it is not well."""

    section: str
    name: str
    status: Status
    detail: str = ""
    fix: str = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument(
        "--clean", action="store_true", help="remove what sessions that died have left"
    )


def run(options: argparse.Namespace) -> int:
    """Do it."""
    checks = [*core(), *nodes(), *commands(), *extras(), *machine()]
    checks += brought(options.clean)
    if options.json:
        print(msgspec.json.format(msgspec.json.encode(checks), indent=2).decode())
    else:
        width = max(len(check.name) for check in checks)
        section = ""
        for check in checks:
            if check.section != section:
                section = check.section
                print(paint(section, "bold", sys.stdout))
            status = paint(f"{check.status:<7}", _COLOURS[check.status], sys.stdout)
            print(f"  {status}  {check.name:<{width}}  {printable(check.detail)}".rstrip())
            if check.fix:
                print(f"  {'':7}  {'':{width}}  fix: {check.fix}")
    broken = sum(check.status == "broken" for check in checks)
    if broken and not options.json:
        print(f"{broken} of these the core needs", file=sys.stderr)
    return 1 if broken else 0


def core() -> Iterator[Check]:
    """Python, and the packages that are always needed."""
    version = platform.python_version()
    where = f"{version}, {platform.python_implementation()} on {platform.platform(terse=True)}"
    if sys.version_info >= MIN_PYTHON:
        yield Check("core", "Python", "ok", where)
    else:
        yield Check("core", "Python", "broken", where, "install Python 3.11 or newer")
    import remotemedia

    yield Check(
        "core", "remotemedia", "ok", f"{remotemedia.__version__}, {remotemedia.__path__[0]}"
    )
    for package, minimum, extra in requirements():
        if extra is None:
            yield _package(
                "core", package, minimum, "broken", f"pip install '{package}>={minimum}'"
            )


def nodes() -> Iterator[Check]:
    """Node types, and why some cannot load."""
    registry = default_registry()
    missing = dict(registry.unavailable())
    names = registry.names()
    yield Check("nodes", "available", "ok", f"{len(names) - len(missing)} of {len(names)} types")
    for name, reason in missing.items():
        built_in = registry.info(name).origin == "built-in"
        text, _, fix = reason.partition(": pip install ")
        yield Check(
            "nodes",
            name,
            "broken" if built_in and not fix else "warning",
            text,
            f"pip install {fix}" if fix else "reinstall or remove its package",
        )


def commands() -> Iterator[Check]:
    """Commands of plugins."""
    for name, point in plugins().items():
        origin = point.dist.name if point.dist else "a plugin"
        try:
            point.load()
        except Exception as error:
            detail = f"of {origin}: {type(error).__name__}: {error}"
            yield Check("commands", name, "warning", detail, "reinstall or remove its package")
        else:
            yield Check("commands", name, "ok", f"of {origin}")


def extras() -> Iterator[Check]:
    """Optional packages, by the extra that installs them."""
    for package, minimum, extra in requirements():
        if extra not in (None, "dev"):
            fix = f"pip install 'remotemedia[{extra}]'"
            yield _package(f"extra {extra}", package, minimum, "missing", fix)


def machine() -> Iterator[Check]:
    """Processors, memory, clocks, and programs that the tests use."""
    section = "machine"
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield Check(section, "CPUs", "ok", f"{count} to use")
    yield _shared_memory(section)
    step_s = clock_step_s()
    detail = f"steps of {step_s * 1e6:.3g} µs"
    if step_s > COARSE_CLOCK_S:
        fix = "latencies below that read as 0; in a browser, isolate the page (COOP and COEP)"
        yield Check(section, "profiling clock", "warning", detail, fix)
    else:
        yield Check(section, "profiling clock", "ok", detail)
    programs = {
        "Node.js": (("node",), "for the tests inside Pyodide: install Node.js 20 or newer"),
        "Chromium": (
            ("chromium", "chromium-browser", "google-chrome", "chrome"),
            "for the tests in a browser: apt-get install chromium",
        ),
    }
    for name, (candidates, fix) in programs.items():
        path = next(filter(None, map(shutil.which, candidates)), None)
        yield Check(section, name, "ok" if path else "missing", path or "", "" if path else fix)


def brought(clean: bool) -> Iterator[Check]:
    """Checks of other packages."""
    for point in entry_points(ENTRY_POINT_GROUP):
        try:
            yield from point.load()(clean)
        except Exception as error:
            detail = f"{type(error).__name__}: {error}"
            fix = "reinstall or remove its package"
            yield Check("checks", point.name, "warning", detail, fix)


def clock_step_s() -> float:
    """The smallest step that the profiling clock is seen to make, s."""
    readings = [time.perf_counter() for _ in range(TRIES)]
    steps = {after - before for before, after in itertools.pairwise(readings)} - {0.0}
    return min(steps, default=time.get_clock_info("perf_counter").resolution)


def requirements() -> list[tuple[str, str, str | None]]:
    """What this distribution declares: package, least version, and the extra it belongs to."""
    from importlib.metadata import PackageNotFoundError, requires

    try:
        declared = requires("remotemedia") or []
    except PackageNotFoundError:  # run from a source folder that was never installed
        return []
    found = []
    for requirement in declared:
        wanted, _, marker = requirement.partition(";")
        package, least, extra = _PACKAGE.match(wanted), _LEAST.search(wanted), _EXTRA.search(marker)
        if package is not None:
            found.append((package[0], least[1] if least else "0", extra[1] if extra else None))
    return found


def _package(section: str, package: str, minimum: str, absent: Status, fix: str) -> Check:
    from importlib.metadata import PackageNotFoundError, version

    try:
        installed = version(package)
    except PackageNotFoundError:
        return Check(section, package, absent, "not installed", fix)
    if _numbers(installed) < _numbers(minimum):
        status: Status = "broken" if absent == "broken" else "warning"
        return Check(section, package, status, f"{installed} is older than {minimum}", fix)
    return Check(section, package, "ok", installed)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def _shared_memory(section: str) -> Check:
    name = "/dev/shm"
    try:
        status = os.statvfs(name)
    except (OSError, AttributeError):
        return Check(section, name, "missing", "", "process nodes need it; inline nodes do not")
    size, free = status.f_frsize * status.f_blocks, status.f_frsize * status.f_bavail
    detail = f"{size >> 20:,} MiB, {free >> 20:,} free"
    if free < MIN_SHM:
        fix = "process nodes need 64 MiB: docker run --shm-size=1g, or remove stale files there"
        return Check(section, name, "warning", detail, fix)
    return Check(section, name, "ok", detail)
