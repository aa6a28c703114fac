"""What `remotemedia doctor` says of models: what can run them, and on what."""

from __future__ import annotations

from collections.abc import Iterator

from remotemedia.cli.doctor import Check
from remotemedia.errors import UnavailableError
from remotemedia.models.backend import backends, find_backend

SECTION = "models"


def checks(clean: bool) -> Iterator[Check]:
    """The backends, what each can run on, and which one is used."""
    for name, reason in backends():
        if reason:
            text, _, fix = reason.rpartition(": ")
            yield Check(SECTION, name, "missing", text or reason, fix if text else "")
            continue
        providers = find_backend(name).providers()
        detail = f"can run on {', '.join(providers)}; on cpu, unless a node asks for another"
        yield Check(SECTION, name, "ok", detail)
    try:
        used = find_backend().name
    except UnavailableError:
        fix = "pip install 'remotemedia[native]'; SileroVAD does without, by numpy"
        yield Check(SECTION, "used", "missing", "no backend: no ONNX model can be run", fix)
    else:
        yield Check(SECTION, "used", "ok", f"{used}, unless a node names another")
