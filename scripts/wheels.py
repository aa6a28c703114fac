"""Wheels taken apart and put together again: the same bytes from the same content, every time.

Standard library only: it also runs inside Pyodide, where `compile_archive` makes the byte code that
Pyodide's own Python reads.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import importlib.util
import io
import lzma
import marshal
import re
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import CodeType

# The earliest that a zip file can hold.
TIMESTAMP = (1980, 1, 1, 0, 0, 0)
SITE_PACKAGES = "/lib/python3.14/site-packages/"
STDLIB = "/lib/python314.zip/"
# What only compilers and type checkers read.
NOT_AT_RUN_TIME = (".pyi", ".pxd", ".h", ".a", ".c")

# Of xz: whoever unpacks it needs so much memory.
DICTIONARY = 1 << 20
# What METADATA tells people, and those who develop the package.
METADATA_FOR_PEOPLE = re.compile(
    rb"(Author|Classifier|Description|Keywords|License|Project|Summary)\b"
    rb"|Provides-Extra: dev$|.*\bextra == 'dev'"
)

Files = dict[str, bytes]


def unpack(archive: Path) -> Files:
    """The files of a zip archive by name."""
    with zipfile.ZipFile(archive) as opened:
        return {info.filename: opened.read(info) for info in opened.infolist() if not info.is_dir()}


def pack(files: Mapping[str, bytes], *, compress: bool) -> bytes:
    """A zip archive of the files: sorted, with one timestamp; stored or deflated."""
    packed = io.BytesIO()
    method = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
    with zipfile.ZipFile(packed, "w", method, compresslevel=9) as archive:
        for name in sorted(files):
            info = zipfile.ZipInfo(name, TIMESTAMP)
            info.external_attr = 0o644 << 16
            info.compress_type = method
            archive.writestr(info, files[name])
    return packed.getvalue()


def gzipped(raw: bytes) -> bytes:
    """The bytes in gzip form, without a time in them: as servers send text."""
    return gzip.compress(raw, 9, mtime=0)


def xz(raw: bytes) -> bytes:
    """The bytes in xz form, without a sum to check.

    An archive of stored files becomes a fifth smaller than in gzip form, which finds what files
    have in common only within 32 KiB.
    """
    options = {"preset": 9 | lzma.PRESET_EXTREME, "dict_size": DICTIONARY, "pb": 0}
    filters = [{"id": lzma.FILTER_LZMA2, **options}]
    return lzma.compress(raw, lzma.FORMAT_XZ, lzma.CHECK_NONE, filters=filters)


def keep(files: Mapping[str, bytes], wanted: Callable[[str], bool]) -> Files:
    """The wanted files of a wheel, with entry points and RECORD that name nothing else.

    For a download, without what would only be read before one: the long description, and the
    licence, which travels beside the wheel. RECORD has no hashes: the wheel as a whole is checked.
    """
    kept = {
        name: content
        for name, content in files.items()
        if wanted(name) and ".dist-info/licenses/" not in name
    }
    for name in kept:
        if name.endswith(".dist-info/entry_points.txt"):
            kept[name] = entry_points(kept[name].decode(), kept).encode()
        elif name.endswith(".dist-info/METADATA"):
            lines = kept[name].partition(b"\n\n")[0].splitlines()
            lines = [line for line in lines if not METADATA_FOR_PEOPLE.match(line)]
            kept[name] = b"\n".join([*lines, b""])
    for name in list(kept):
        if name.endswith(".dist-info/RECORD"):
            kept[name] = "".join(f"{each},,\n" for each in sorted(kept)).encode()
    return kept


def entry_points(text: str, files: Mapping[str, bytes]) -> str:
    """Entry points without console scripts and without what is not in the files."""
    lines: list[str] = []
    group = ""
    for line in text.splitlines():
        if line.startswith("["):
            group = line
            continue
        module = re.match(r"[^=]+=\s*([\w.]+)", line)
        if not module or group == "[console_scripts]":
            continue
        path = module[1].replace(".", "/")
        if f"{path}.py" in files or f"{path}/__init__.py" in files:
            if group not in lines:
                lines.append(group)
            lines.append(line)
    return "".join(f"{line}\n" for line in lines)


def recorded(files: Files) -> Files:
    """The files with a RECORD that fits them; without one, if they have none."""
    for record in [name for name in files if name.endswith(".dist-info/RECORD")]:
        rows = [f"{record},,"]
        for name in sorted(files.keys() - {record}):
            digest = base64.urlsafe_b64encode(hashlib.sha256(files[name]).digest()).rstrip(b"=")
            rows.append(f"{name},sha256={digest.decode()},{len(files[name])}")
        files[record] = "".join(f"{row}\n" for row in rows).encode()
    return files


def compiled(files: Mapping[str, bytes], folder: str) -> Files:
    """The files with byte code of the running Python in place of sources; without tests.

    Parameters
    ----------
    files : mapping
        Of a wheel, or of the standard library.
    folder : str
        Where they will be, as tracebacks tell it.
    """
    made: Files = {}
    for name, content in files.items():
        if "tests" in name.split("/")[:-1] or name.endswith(NOT_AT_RUN_TIME):
            continue
        if not name.endswith(".py"):
            made[name] = content
            continue
        try:
            code = compile(content, folder + name, "exec", dont_inherit=True)
        except SyntaxError:  # a template, or of another Python
            made[name] = content
            continue
        made[f"{name}c"] = byte_code(code, content)
    return recorded(made)


def byte_code(code: CodeType, source: bytes) -> bytes:
    """A .pyc that is never compared with its source: PEP 552, unchecked hash."""
    flags = (1).to_bytes(4, "little")
    head = importlib.util.MAGIC_NUMBER + flags + importlib.util.source_hash(source)
    return head + marshal.dumps(code)


def compile_archive(archive: Path, into: Path) -> None:
    """Write the compiled form of a wheel or of python_stdlib.zip, under its own name."""
    folder = SITE_PACKAGES if archive.suffix == ".whl" else STDLIB
    (into / archive.name).write_bytes(pack(compiled(unpack(archive), folder), compress=True))
