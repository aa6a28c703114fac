"""Installs the systems that benchmarks compare with; prints {peer: its Python} as JSON.

    scripts/bench_peers.py [NAME...]    such as: dora ray; default: all

pipecat, streamz, dora-rs and Ray each get an environment of their own in the cache, with pinned
versions. GStreamer's Python binding works only with the system's Python, so it comes as Debian
packages.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import venv
from pathlib import Path

from artefacts import REPOSITORY, ArtefactError, appearing, cache_folder, fingerprint, run

FROM_REGISTRY = ["pipecat", "streamz", "dora", "ray"]
DEBIAN_PACKAGES = [
    *("python3-gi", "gir1.2-gstreamer-1.0", "gir1.2-gst-plugins-base-1.0"),
    *("gstreamer1.0-plugins-base", "gstreamer1.0-plugins-good"),
]
DEBIAN_PYTHON = Path("/usr/bin/python3")
GSTREAMER_WORKS = """
import gi
gi.require_version("Gst", "1.0")
gi.require_version("GstApp", "1.0")
from gi.repository import Gst, GstApp
Gst.init(None)
assert all(Gst.ElementFactory.find(name) for name in ("appsrc", "volume", "appsink"))
"""


def from_registry(name: str) -> Path:
    """The Python of a virtual environment that has the pinned versions."""
    pins = REPOSITORY / "constraints" / f"bench-{name}.txt"
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    folder = cache_folder() / "bench-envs" / f"{name}-{python}-{fingerprint(pins)}"
    if not folder.is_dir():
        print(f"installing {name} in {folder}", file=sys.stderr)
        with appearing(folder) as making:
            venv.create(making, with_pip=True)
            # The pins are the whole environment, so nothing is left to resolve.
            run(making / "bin" / "python", *"-m pip install -qq --no-deps -r".split(), pins)
    return folder / "bin" / "python"


def gstreamer() -> Path:
    """The system's Python, once GStreamer works in it."""
    try:
        run(DEBIAN_PYTHON, "-c", GSTREAMER_WORKS)
    except (ArtefactError, OSError):
        if shutil.which("apt-get") is None:
            raise ArtefactError(f"install GStreamer: {' '.join(DEBIAN_PACKAGES)}") from None
        print("installing GStreamer with apt-get", file=sys.stderr)
        apt = ["apt-get"] if os.getuid() == 0 else ["sudo", "apt-get"]
        run(*apt, "update", "-qq")
        run(*apt, "install", "-y", "-qq", "--no-install-recommends", *DEBIAN_PACKAGES)
        run(DEBIAN_PYTHON, "-c", GSTREAMER_WORKS)
    return DEBIAN_PYTHON


if __name__ == "__main__":
    known = [*FROM_REGISTRY, "gstreamer"]
    wanted = sys.argv[1:] or known
    if unknown := set(wanted) - set(known):
        sys.exit(f"scripts/bench_peers.py: no peer {', '.join(unknown)}; there are: {known}")
    try:
        pythons = {name: from_registry(name) for name in FROM_REGISTRY if name in wanted}
        if "gstreamer" in wanted:
            pythons["gstreamer"] = gstreamer()
    except (ArtefactError, OSError) as problem:
        sys.exit(f"scripts/bench_peers.py: {problem}")
    print(json.dumps({name: str(python) for name, python in pythons.items()}))
