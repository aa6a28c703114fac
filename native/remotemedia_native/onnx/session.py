"""Sessions of onnxruntime, shared by all nodes of the process that use the same model."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path
from typing import Any

import onnxruntime

from remotemedia.errors import ModelError, ModelNotFoundError, UnavailableError
from remotemedia.models.onnx_file import MadeFile, OnnxFile, called
from remotemedia_native.onnx.failures import why_not_opened
from remotemedia_native.onnx.providers import CPU, PROVIDERS, full_name

ERRORS_ONLY = 3  # severity of onnxruntime's log: what it warns of is no concern of a user

Key = tuple[object, ...]


class Shared:
    """A session that is open as long as anybody uses it: its weights are in memory once.

    Attributes
    ----------
    name : str
        The model, for people.
    session : onnxruntime.InferenceSession
        Any thread may run it, several at once.
    provider : str
        What it runs on.
    """

    def __init__(self, key: Key, name: str) -> None:
        self.name = name
        self.session: Any = None
        self.provider = ""
        self._key = key
        self._users = 0
        self._opening = threading.Lock()

    def release(self) -> None:
        """One user less; the last one closes it."""
        with _LOCK:
            self._users -= 1
            if not self._users:
                _SESSIONS.pop(self._key, None)
                self.session = None


_LOCK = threading.Lock()
_SESSIONS: dict[Key, Shared] = {}


def acquire(file: Path | bytes, providers: tuple[str, ...], threads: int) -> Shared:
    """The session of a model, opened if nobody has it open; `Shared.release` it.

    Two files are the same if path, size and time of change are; bytes, if their SHA-256 is.

    Raises
    ------
    ModelNotFoundError
        There is no such file.
    ModelError
        It is broken, or this onnxruntime does not know its operations.
    UnavailableError
        None of the providers can be used here; says why of each.
    """
    what, name = _identity(file)
    key: Key = (*what, providers, threads)
    with _LOCK:
        shared = _SESSIONS.get(key)
        if shared is None:
            shared = _SESSIONS[key] = Shared(key, name)
        shared._users += 1
    try:
        with shared._opening:  # others who want this one wait; others who want another do not
            if shared.session is None:
                shared.session, shared.provider = _open(file, name, providers, threads)
    except BaseException:
        shared.release()
        raise
    return shared


def open_sessions() -> int:
    """How many there are."""
    return len(_SESSIONS)


def _identity(file: Path | bytes) -> tuple[Key, str]:
    if isinstance(file, bytes):
        digest = file.sha256 if isinstance(file, MadeFile) else hashlib.sha256(file).hexdigest()
        return (digest,), called(file)
    try:
        found = file.resolve()
        status = found.stat()
    except OSError as error:
        raise ModelNotFoundError(
            f"the model {file} cannot be read: {error.strerror}: check the path"
        ) from error
    if not found.is_file():
        raise ModelNotFoundError(f"the model {file} is no file: give the path of an .onnx file")
    return (str(found), status.st_mtime_ns, status.st_size), called(found)


def _open(
    file: Path | bytes, name: str, providers: tuple[str, ...], threads: int
) -> tuple[Any, str]:
    OnnxFile.read(file).check_external()
    reasons = []
    for provider in providers or (CPU,):
        try:
            wanted = full_name(provider)
        except UnavailableError as error:
            reasons.append(str(error))
            continue
        session = _start(file, name, wanted, threads)
        # It falls back to the CPU by itself, with a line in its log, where the device is missing.
        if session.get_providers()[:1] == [wanted]:
            names = {theirs: ours for ours, theirs in PROVIDERS.items()}
            return session, names.get(wanted, provider)
        reasons.append(f"there is nothing here that {provider} can run on")
    raise UnavailableError(
        f"{name} cannot run on {' or '.join(providers)}: {'; '.join(reasons)}; "
        "or add 'cpu' to the providers"
    )


def _start(file: Path | bytes, name: str, provider: str, threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = ERRORS_ONLY
    chosen = list(dict.fromkeys([provider, PROVIDERS[CPU]]))  # it runs what the device cannot
    try:
        session = onnxruntime.InferenceSession(
            file if isinstance(file, bytes) else str(file), options, providers=chosen
        )
    except Exception as error:
        wrong: ModelError = why_not_opened(name, error, onnxruntime.__version__)
        raise wrong from error
    session.disable_fallback()  # a device that fails is told of, not replaced in silence
    return session
