"""The parent's main file, for a child that needs a class out of it.

Such a class is in the module `__main__`, which in the child is another one. As with the processes
of the standard library, the file is run once more, as `__mp_main__`, and only if it is needed.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from importlib.machinery import ModuleSpec, SourceFileLoader, SourcelessFileLoader
from pathlib import Path
from types import ModuleType

from remotemedia_native.process.errors import ProcessError

NAME = "__mp_main__"
_GUARD = "put what it starts under `if __name__ == '__main__':`, or the class in a file of its own"


def reference() -> dict[str, str]:
    """How another process finds the main file of this one.

    Returns
    -------
    dict
        ``path``, and ``name`` if it was started with ``-m``; or ``problem``: why there is no way.
    """
    main = sys.modules.get(NAME) or sys.modules["__main__"]
    spec: ModuleSpec | None = getattr(main, "__spec__", None)
    file: str | None = getattr(main, "__file__", None)
    if file is None:
        return {"problem": "it was typed in, or given with -c"}
    if Path(file).stem == "__main__":
        return {"problem": f"{file} runs a whole package"}
    path = str(Path(file).absolute())
    return {"path": path, "name": spec.name} if spec else {"path": path}


class _Main:
    """What this process knows of its parent's main file."""

    def __init__(self) -> None:
        self.reference: dict[str, str] = {"problem": "this process has no parent that told it"}
        self.module: ModuleType | None = None
        self.loading = False


_main = _Main()


def remember(found: dict[str, str]) -> None:
    """Note what the parent's `reference` gave; nothing is loaded yet."""
    _main.reference = found


def is_loading() -> bool:
    """Whether the parent's main file is being run just now."""
    return _main.loading


def find(module: str) -> ModuleType:
    """The module of that name, imported; for ``__main__`` the parent's.

    Raises
    ------
    ProcessError
        It is ``__main__``, and the parent has no file that could be run again, or that fails.
    """
    if module not in ("__main__", NAME):
        return importlib.import_module(module)
    if _main.module is None:
        _main.module = _load(_main.reference)
    return _main.module


def _load(found: dict[str, str]) -> ModuleType:
    if "problem" in found:
        raise ProcessError(
            f"the main module of this program cannot be loaded in another process: "
            f"{found['problem']}: put the node's class in a file that can be imported"
        )
    path = found["path"]
    kind = SourcelessFileLoader if path.endswith(".pyc") else SourceFileLoader
    loader = kind(NAME, path)
    module = ModuleType(NAME)
    module.__file__ = path
    module.__loader__ = loader
    _main.loading = True
    try:
        if "name" in found:  # its relative imports start from its package
            module.__spec__ = importlib.util.find_spec(found["name"])
            module.__package__ = module.__spec__.parent if module.__spec__ else None
        sys.modules[NAME] = module
        loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[NAME]
        raise ProcessError(
            f"{path} fails when a node's process runs it once more: "
            f"{type(error).__name__}: {error}: {_GUARD}"
        ) from error
    finally:
        _main.loading = False
    sys.modules["__main__"] = module
    return module
