"""What `remotemedia doctor` says of processes and shared memory, and cleans up."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

from remotemedia.cli.doctor import Check
from remotemedia.errors import UnavailableError

SECTION = "processes"
START_S = 20.0
MIB = 2**20


def checks(clean: bool) -> Iterator[Check]:
    """Whether nodes can have processes here, and what dead sessions have left."""
    if sys.platform in ("emscripten", "win32"):
        what, fix = "none on this platform", "run what needs them on Linux or macOS"
        yield Check(SECTION, "start", "missing", what, fix)
        return
    yield _start()
    yield from _topics()
    yield _leftovers(clean)


def _start() -> Check:
    from remotemedia_native.process.errors import ProcessError

    started = time.perf_counter()
    try:
        said = asyncio.run(_ask())
    except (OSError, ProcessError) as error:
        return Check(SECTION, "start", "warning", str(error), "see ulimit -u and ulimit -n")
    if said:
        return Check(
            SECTION, "start", "warning", said, "run: python -c 'import remotemedia_native'"
        )
    took_s = time.perf_counter() - started
    return Check(SECTION, "start", "ok", f"started, heard and ended in {took_s * 1000:.0f} ms")


async def _ask() -> str:
    """What is wrong with a process that is started; empty if nothing is."""
    from remotemedia_native.process.launch import launch

    child = launch(f"{__name__}:answer", name="doctor")
    heard: list[bytes] = []
    child.control.on_message = lambda message, _: heard.append(message)
    await asyncio.wait([child.exited], timeout=START_S)
    if not child.exited.done():
        child.kill(f"it said nothing for {START_S:g} s")
    ended = await child.exited
    if heard and ended.code == 0:
        return ""
    return " | ".join([f"a process {ended.describe()}", *ended.last_lines[-3:]])


async def answer(control: object) -> None:
    """In the child: say something."""
    from remotemedia_native.process.control import Control

    if isinstance(control, Control):
        control.send(b"ready")


def _topics() -> Iterator[Check]:
    from remotemedia_native.shm import kinds

    for kind in kinds.KINDS:
        try:
            installed = version(kind)
        except PackageNotFoundError:
            installed = ""
        name = f"topics by {kind}"
        try:
            kinds.find(kind)
        except (ImportError, UnavailableError) as error:
            fix = "pip install 'remotemedia[native]'; or do without: there are other kinds"
            yield Check(SECTION, name, "missing", str(error), fix)
        else:
            yield Check(SECTION, name, "ok", installed)


def _leftovers(clean: bool) -> Check:
    from remotemedia_native.process import janitor

    found = list(janitor.leftovers())
    size = sum(each.size for each in found)
    left = f"{len(found)} {'file' if len(found) == 1 else 'files'}, {size / MIB:.1f} MiB"
    if not found:
        return Check(SECTION, "leftovers", "ok", "none of sessions that died")
    if not clean:
        detail = f"{left} of sessions that died"
        return Check(SECTION, "leftovers", "warning", detail, "remotemedia doctor --clean")
    stuck = [each.path for each in found if not each.remove()]
    if stuck:
        fix = "remove them by hand"
        return Check(SECTION, "leftovers", "warning", f"cannot be removed: {stuck}", fix)
    return Check(SECTION, "leftovers", "ok", f"removed {left} of sessions that died")
