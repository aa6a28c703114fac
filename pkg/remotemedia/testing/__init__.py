"""What tests of pipelines and nodes need, yours as well as ours; docs/testing.md shows how.

Each name is imported when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from remotemedia.testing import signals
    from remotemedia.testing.clock import DeadlockError, VirtualClock
    from remotemedia.testing.compare import assert_close
    from remotemedia.testing.conformance import ConformanceError, check_node
    from remotemedia.testing.given import Interrupt, Pause
    from remotemedia.testing.golden_file import GoldenFolder, golden
    from remotemedia.testing.node_result import NodeResult
    from remotemedia.testing.node_run import arun_node, run_node
    from remotemedia.testing.replaying import assert_replays, replay
    from remotemedia.testing.tolerance import Tolerance

_LAZY = {
    "ConformanceError": "conformance",
    "DeadlockError": "clock",
    "GoldenFolder": "golden_file",
    "Interrupt": "given",
    "NodeResult": "node_result",
    "Pause": "given",
    "Tolerance": "tolerance",
    "VirtualClock": "clock",
    "arun_node": "node_run",
    "assert_close": "compare",
    "assert_replays": "replaying",
    "check_node": "conformance",
    "golden": "golden_file",
    "replay": "replaying",
    "run_node": "node_run",
    "signals": "signals",
}
"""Public name → the module that has it, or is it."""

__all__ = [
    "ConformanceError",
    "DeadlockError",
    "GoldenFolder",
    "Interrupt",
    "NodeResult",
    "Pause",
    "Tolerance",
    "VirtualClock",
    "arun_node",
    "assert_close",
    "assert_replays",
    "check_node",
    "golden",
    "replay",
    "run_node",
    "signals",
]


def __getattr__(name: str) -> object:
    home = _LAZY.get(name)
    if home is None:
        raise AttributeError(f"module 'remotemedia.testing' has no attribute {name!r}")
    module = importlib.import_module(f"remotemedia.testing.{home}")
    value: object = module if home == name else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
