"""What tests of pipelines and nodes need, yours as well as ours."""

from remotemedia.testing.clock import DeadlockError, VirtualClock
from remotemedia.testing.conformance import ConformanceError, check_node

__all__ = ["ConformanceError", "DeadlockError", "VirtualClock", "check_node"]
