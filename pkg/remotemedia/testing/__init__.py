"""What tests of pipelines and nodes need, yours as well as ours."""

from remotemedia.testing.clock import DeadlockError, VirtualClock

__all__ = ["DeadlockError", "VirtualClock"]
