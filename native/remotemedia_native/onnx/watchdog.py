"""The watchdog: ends runs that take too long, from one thread for all models of the process."""

from __future__ import annotations

import math
import threading
import time
from typing import Any


class Run:
    """One run of a model that is watched.

    Parameters
    ----------
    options : onnxruntime.RunOptions
        Of this run and no other: once ended, they end every run.
    deadline : float
        When it is to be ended, s of `time.monotonic`.
    """

    __slots__ = ("deadline", "expired", "options")

    def __init__(self, options: Any, deadline: float) -> None:
        self.options = options
        self.deadline = deadline
        self.expired = False


class Watchdog:
    """Ends runs at their deadlines.

    There is a thread while somebody keeps it (`keep`, `release`) or a run is on. A run that ends in
    time costs two operations on a set: the thread is woken only if it would sleep beyond the
    deadline. It wakes at the deadline of a run that is long over, and then sleeps until the next.

    onnxruntime looks between two operations of the graph whether it is to end, so one operation
    that takes for ever is not ended.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._change = threading.Condition(self._lock)
        self._runs: set[Run] = set()
        self._keepers = 0
        self._wakes_at = math.inf
        self._thread: threading.Thread | None = None

    def keep(self) -> None:
        """Have a thread until `release`."""
        with self._lock:
            self._keepers += 1
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._watch, name="onnx-watchdog", daemon=True
                )
                self._thread.start()

    def release(self) -> None:
        """The thread ends when nobody keeps it and no run is on: it is waited for if none is."""
        with self._lock:
            self._keepers -= 1
            if self._keepers:
                return
            thread, self._thread = self._thread, None
            self._change.notify_all()
        if thread is not None and not self._runs:
            thread.join()

    def begin(self, options: Any, timeout_s: float) -> Run:
        """Watch a run that begins now. From any thread."""
        run = Run(options, time.monotonic() + timeout_s)
        # First the run, then the look: the thread does it the other way round.
        self._runs.add(run)
        if run.deadline < self._wakes_at:
            with self._lock:
                self._change.notify_all()
        return run

    def end(self, run: Run) -> None:
        """The run is over."""
        self._runs.discard(run)

    def _watch(self) -> None:
        own = threading.current_thread()
        with self._lock:
            while True:
                self._wakes_at = math.inf  # whoever begins during the look asks for another
                now = time.monotonic()
                nearest = math.inf
                for run in self._runs.copy():
                    if run.expired:
                        continue
                    if run.deadline <= now:
                        run.expired = True
                        run.options.terminate = True
                    else:
                        nearest = min(nearest, run.deadline)
                if nearest == math.inf and self._thread is not own:
                    return
                self._wakes_at = nearest
                self._change.wait(None if nearest == math.inf else nearest - now)


WATCHDOG = Watchdog()
