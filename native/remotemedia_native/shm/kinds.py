"""The implementations of topics, and which of them to use on this host."""

from __future__ import annotations

import importlib
import os
from functools import cache
from typing import cast

from remotemedia.errors import UnavailableError, nearest
from remotemedia_native.shm.base import Kind

_MODULES = {"ring": "ring", "iceoryx2": "iceoryx"}
KINDS = tuple(_MODULES)
"""Their names, the best one first."""


VARIABLE = "REMOTEMEDIA_SHM"


@cache
def find(kind: str) -> Kind:
    """The implementation of that name, which can be used on this host.

    Raises
    ------
    UnavailableError
        There is none, or it cannot be used here; says why.
    """
    module = _MODULES.get(kind)
    if module is None:
        raise UnavailableError(
            f"no kind of topic {kind!r}{nearest(kind, KINDS)}; there are {', '.join(KINDS)}"
        )
    found = cast(Kind, importlib.import_module(f"remotemedia_native.shm.{module}"))
    reason = found.available()
    if reason:
        raise UnavailableError(f"topics of kind {kind!r} cannot be used here: {reason}")
    return found


def best() -> str:
    """The name of the best kind that can be used on this host, or of that which `VARIABLE` names.

    Raises
    ------
    UnavailableError
        There is none; says why.
    """
    wanted = os.environ.get(VARIABLE)
    reasons = []
    for kind in KINDS if wanted is None else (wanted,):
        try:
            find(kind)
        except UnavailableError as error:
            reasons.append(str(error))
        else:
            return kind
    raise UnavailableError("; ".join(reasons))
