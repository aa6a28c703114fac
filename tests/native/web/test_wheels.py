"""What scripts/ makes of wheels: for the npm package, and in byte code."""

from __future__ import annotations

import base64
import csv
import hashlib
import importlib
import io
import lzma
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[3]
INFO = "remotemedia-1.dist-info"
FILES = {
    "remotemedia/__init__.py": b"",
    "remotemedia/__main__.py": b"import remotemedia.cli",
    "remotemedia/cli/__init__.py": b"",
    "remotemedia/nodes/__init__.py": b"",
    "remotemedia/nodes/extra.py": b"",
    "remotemedia/testing/__init__.py": b"",
    "remotemedia_native/__init__.py": b"",
    f"{INFO}/METADATA": b"Name: remotemedia\nVersion: 1\n",
    f"{INFO}/RECORD": b"wrong",
    f"{INFO}/entry_points.txt": b"[console_scripts]\nremotemedia = remotemedia.cli:main\n\n"
    b"[remotemedia.commands]\nweb = remotemedia_native\n\n"
    b"[remotemedia.nodes]\nextra = remotemedia.nodes.extra:Extra\nown = remotemedia.nodes\n",
}


@pytest.fixture
def wheels(monkeypatch):
    monkeypatch.syspath_prepend(REPOSITORY / "scripts")
    return importlib.import_module("wheels")


@pytest.fixture
def web_assets(monkeypatch):
    monkeypatch.syspath_prepend(REPOSITORY / "scripts")
    return importlib.import_module("web_assets")


@pytest.fixture
def wheel(tmp_path):
    file = tmp_path / "remotemedia-1-py3-none-any.whl"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in FILES.items():
            archive.writestr(name, content)
    return file


def check_record(files, *, hashed=True):
    name = next(name for name in files if name.endswith("/RECORD"))
    rows = {row[0]: row[1:] for row in csv.reader(io.StringIO(files[name].decode()))}
    assert rows.pop(name) == ["", ""]
    assert rows.keys() == files.keys() - {name}
    for path, (digest, size) in rows.items():
        if not hashed:  # the wheel as a whole is checked
            assert (digest, size) == ("", "")
            continue
        expected = base64.urlsafe_b64encode(hashlib.sha256(files[path]).digest()).rstrip(b"=")
        assert (digest, size) == (f"sha256={expected.decode()}", str(len(files[path])))


def test_our_wheel_without_what_no_page_can_use(web_assets, wheels, wheel, tmp_path):
    asset = web_assets.Asset.of("remotemedia", wheel)
    assert asset.file == "remotemedia-1-py3-none-any.whl.xz"
    assert lzma.decompress(asset.packed) == asset.raw
    raw = tmp_path / "raw.whl"
    raw.write_bytes(asset.raw)
    files = wheels.unpack(raw)
    assert sorted(files) == [
        f"{INFO}/METADATA",
        f"{INFO}/RECORD",
        f"{INFO}/entry_points.txt",
        "remotemedia/__init__.py",
        "remotemedia/nodes/__init__.py",
        "remotemedia/nodes/extra.py",
    ]
    check_record(files, hashed=False)
    assert files[f"{INFO}/entry_points.txt"].decode() == (
        "[remotemedia.nodes]\nextra = remotemedia.nodes.extra:Extra\nown = remotemedia.nodes\n"
    )
    with zipfile.ZipFile(raw) as archive:
        infos = archive.infolist()
    assert {info.compress_type for info in infos} == {zipfile.ZIP_STORED}
    assert {info.date_time for info in infos} == {(1980, 1, 1, 0, 0, 0)}


def test_what_is_left_of_the_metadata(wheels):
    metadata = (
        b"Metadata-Version: 2.5\nName: a\nVersion: 1\nSummary: for people\nLicense-File: LICENSE\n"
        b"Requires-Dist: numpy>=2\nProvides-Extra: dev\nRequires-Dist: b; extra == 'dev'\n"
        b"Provides-Extra: devices\nRequires-Dist: c; extra == 'devices'\n\n# For people\n"
    )
    kept = wheels.keep({f"{INFO}/METADATA": metadata}, lambda path: True)
    assert kept[f"{INFO}/METADATA"].decode() == (
        "Metadata-Version: 2.5\nName: a\nVersion: 1\nRequires-Dist: numpy>=2\n"
        "Provides-Extra: devices\nRequires-Dist: c; extra == 'devices'\n"
    )


def test_the_same_content_gives_the_same_bytes(web_assets, wheel, tmp_path):
    other = tmp_path / "other" / wheel.name
    other.parent.mkdir()
    with zipfile.ZipFile(other, "w") as archive:
        for name in reversed(FILES):
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 2, 3, 4, 6)), FILES[name])
    made = [web_assets.Asset.of("remotemedia", file) for file in (wheel, other)]
    assert made[0].packed == made[1].packed


def test_the_table_for_bundlers(web_assets, wheel, tmp_path):
    for name in ("micropip-1.whl", "numpy-1.whl", "scipy-1.whl", "pyodide.mjs"):
        (tmp_path / name).write_bytes(b"1234")
    asset = web_assets.Asset.of("remotemedia", wheel)
    text = web_assets.to_typescript([asset], "314.0.3", tmp_path)
    url = 'new URL("./assets/remotemedia-1-py3-none-any.whl.xz", import.meta.url)'
    assert f"    url: {url},\n    size: {len(asset.packed)},\n" in text
    assert f'    sha256: "{hashlib.sha256(asset.packed).hexdigest()}",\n' in text
    assert 'export const PYODIDE_VERSION = "314.0.3";' in text
    assert '"numpy-1.whl": 4' in text


def test_byte_code_in_place_of_sources(wheels, tmp_path):
    files = {
        "thing/__init__.py": b"'''Doc.'''\nVALUE = 6 * 7\n",
        "thing/tests/test_it.py": b"",
        "thing/__init__.pyi": b"VALUE: int\n",
        "thing/template.py": b"{{ no python }}\nx = = 1\n",
        "thing/data.txt": b"data",
        "thing-1.dist-info/RECORD": b"",
    }
    made = wheels.compiled(files, "/where/")
    assert sorted(made) == [
        "thing-1.dist-info/RECORD",
        "thing/__init__.pyc",
        "thing/data.txt",
        "thing/template.py",
    ]
    check_record(made)
    archive = tmp_path / "thing.zip"
    archive.write_bytes(wheels.pack(made, compress=True))
    code = (
        "import thing; code = thing.__loader__.get_code('thing');"
        "print(thing.VALUE, thing.__doc__, code.co_filename)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(archive)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "42 Doc. /where/thing/__init__.py\n"


def test_the_rest_of_the_core_does_without_what_is_left_out(web_assets, tmp_path):
    package = REPOSITORY / "pkg"
    modules = []
    for source in sorted((package / "remotemedia").rglob("*.py")):
        path = source.relative_to(package).as_posix()
        if path.startswith(web_assets.NOT_IN_A_PAGE):
            continue
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(source.read_bytes())
        modules.append(path.removesuffix(".py").removesuffix("/__init__").replace("/", "."))
    code = (
        "import importlib, sys\n"
        f"sys.path.insert(0, {str(tmp_path)!r})\n"
        f"for name in {modules!r}: importlib.import_module(name)\n"
        f"assert sys.modules['remotemedia'].__file__.startswith({str(tmp_path)!r})\n"
    )
    # The checkout itself is importable here: nothing may be found there instead.
    blocked = "sys.modules.update(dict.fromkeys(['remotemedia.cli', 'remotemedia.testing']))\n"
    subprocess.run([sys.executable, "-B", "-c", "import sys\n" + blocked + code], check=True)


def test_what_nodes_in_workers_need_travels_apart(web_assets, wheels, tmp_path):
    wheel = tmp_path / "remotemedia-1-py3-none-any.whl"
    names = ["remotemedia/executors/restart.py", "remotemedia_wasm/workers/crew.py"]
    info = "remotemedia-1.dist-info/entry_points.txt"
    points = b"[remotemedia.executors]\nworker = remotemedia_wasm.workers.crew:Crew\n"
    files = dict.fromkeys([*names, "remotemedia/__init__.py"], b"A = 1\n") | {info: points}
    wheel.write_bytes(wheels.pack(files, compress=False))
    found = {}
    for name in ("remotemedia", "workers"):
        asset = web_assets.Asset.of(name, wheel)
        (tmp_path / name).write_bytes(asset.raw)
        found[asset.file] = wheels.unpack(tmp_path / name)
    page = found["remotemedia-1-py3-none-any.whl.xz"]
    assert sorted(page) == [info, "remotemedia/__init__.py"]
    assert page[info] == points  # else nothing would find it once it is there
    assert sorted(found["remotemedia_workers-1-py3-none-any.whl.xz"]) == names


PROGRAM = """
import importlib, inspect, sys, traceback
import numpy as np
import remotemedia as rm
from remotemedia.manifest import json_schema
from remotemedia.nodes import TABLE

print(sys.modules["remotemedia"].__file__, file=sys.stderr)
pipeline = rm.Pipeline.load({
    "version": "v1",
    "metadata": {"name": "speech", "auto_negotiate": True},
    "nodes": [
        {"id": "mono", "node_type": "ChannelMix", "params": {"channels": 1}},
        {"id": "vad", "node_type": "EnergyVAD", "is_output_node": True},
        {"id": "level", "node_type": "AudioLevel"},
        {"id": "to8k", "node_type": "AudioResample", "params": {"target_rate": 8000}},
    ],
    "connections": [
        {"from": "mono", "to": each} for each in ("vad", "level", "to8k")
    ],
})
print(pipeline.to_dict(), pipeline.to_mermaid())
print(sorted(pipeline.plan().formats.outputs.items(), key=str))
noise = np.random.default_rng(1).standard_normal((2, 96000)).astype(np.float32) / 4
noise[:, 30000:60000] = 0
for packet in pipeline.run([rm.Audio(noise, 48000)]):
    samples = packet.data.samples.tobytes() if isinstance(packet.data, rm.Audio) else b""
    print(packet.node, packet.port, packet.sequence, packet.sub_sequence, packet.data, samples)
print(json_schema())
for name, target in TABLE.items():
    module, _, cls = target.partition(":")
    text = inspect.getdoc(getattr(importlib.import_module(module), cls))
    print(name, text.partition("\\n\\n")[0])
for wrong in ({"nodes": [{"id": "a", "node_type": "Nothing"}]}, {"version": "v1", "nodes": 1}):
    try:
        rm.Pipeline.load(wrong).validate()
    except rm.RemoteMediaError as error:
        print(error)
        for frame in traceback.extract_tb(error.__traceback__):
            print(frame.filename.rpartition("remotemedia")[2], frame.lineno, frame.name, frame.line)
"""


def test_what_a_page_gets_runs_like_the_checkout(web_assets, wheels, tmp_path):
    package = REPOSITORY / "pkg"
    wheel = tmp_path / "remotemedia-1-py3-none-any.whl"
    sources = {
        source.relative_to(package).as_posix(): source.read_bytes()
        for source in package.rglob("*.py")
    }
    wheel.write_bytes(wheels.pack(sources, compress=False))
    slim = tmp_path / "slim"
    size = 0
    for name in ("remotemedia", *web_assets.PARTS):
        raw = web_assets.Asset.of(name, wheel).raw
        size += len(raw)
        zipfile.ZipFile(io.BytesIO(raw)).extractall(slim)
    assert size < wheel.stat().st_size * 0.7
    said = {
        where: subprocess.run(
            [sys.executable, "-B", "-c", PROGRAM],
            env={"PYTHONPATH": str(where)},
            capture_output=True,
            text=True,
            check=True,
        )
        for where in (package, slim)
    }
    for where, done in said.items():
        assert done.stderr.startswith(str(where))
    assert "unknown node_type 'Nothing'" in said[package].stdout
    assert said[slim].stdout == said[package].stdout
