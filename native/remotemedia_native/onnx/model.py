"""OnnxModel: a model that onnxruntime runs."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import onnxruntime
from numpy.typing import NDArray

from remotemedia.errors import ModelError
from remotemedia.models.backend import Feeds, ModelOptions
from remotemedia.models.feed_check import FeedCheck
from remotemedia.models.tensor_info import TensorInfo
from remotemedia_native.onnx.bound import BoundFeeds
from remotemedia_native.onnx.failures import is_terminated, why_failed
from remotemedia_native.onnx.providers import CPU
from remotemedia_native.onnx.session import Shared
from remotemedia_native.onnx.watchdog import WATCHDOG

FATAL_ONLY = 4  # severity of onnxruntime's log: an error of a run is raised, not printed as well

_DTYPES = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(float16)": "float16",
    "tensor(bool)": "bool",
    **{f"tensor({kind}{n})": f"{kind}{n}" for kind in ("int", "uint") for n in (8, 16, 32, 64)},
}


class OnnxModel:
    """A model, open: one user's share of a session.

    Parameters
    ----------
    shared : Shared
        Released by `close`.
    options : ModelOptions

    Attributes
    ----------
    shared : Shared
        The same for all models that run on the same session.

    Raises
    ------
    ModelError
        An input is no tensor, or no output is one.
    """

    backend = "onnxruntime"

    def __init__(self, shared: Shared, options: ModelOptions) -> None:
        self.shared = shared
        self._name = shared.name
        self.provider = shared.provider
        session = shared.session
        odd = [f"{each.name} ({each.type})" for each in session.get_inputs() if not _dtype(each)]
        self.inputs = tuple(_info(each) for each in session.get_inputs())
        # What is no tensor, such as the map of a classifier's classes, is not computed.
        self.outputs = tuple(_info(each) for each in session.get_outputs() if _dtype(each))
        if odd or not self.outputs:
            what = f"takes {', '.join(odd)}" if odd else "gives no tensor"
            raise ModelError(
                f"{self._name} {what}, which no array can be: export the model with tensors of "
                "numbers"
            )
        self._names = [each.name for each in self.outputs]
        self._check = FeedCheck(self._name, self.inputs).check
        self._run: Any = session.run
        self._options = _run_options()
        self._timeout_s = None if options.timeout_ms is None else options.timeout_ms / 1000
        self._run_bound: Any = BoundFeeds.run if self._timeout_s is None else None
        self._closing = threading.Lock()
        if self._timeout_s is not None:
            WATCHDOG.keep()

    def bind(self, feeds: Feeds, carry: Mapping[str, str]) -> dict[str, NDArray[Any]]:
        """`feeds`, such that runs on them take less time; see `remotemedia.models.backend.bind`."""
        session = self.shared.session
        if self.provider != CPU or not hasattr(session, "_sess"):
            return dict(feeds)
        self._check(feeds)
        outputs = self._run(self._names, feeds, self._options)
        return BoundFeeds(session, feeds, dict(zip(self._names, outputs, strict=True)), carry)

    def run(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        """Run it; see `Model.run`. Any thread may call it."""
        names = self._names
        try:
            if feeds.__class__ is BoundFeeds and self._run_bound is not None:
                found: dict[str, NDArray[Any]] = self._run_bound(feeds, self._options)
                return found
            self._check(feeds)
            if self._timeout_s is None:
                outputs = self._run(names, feeds, self._options)
            else:
                outputs = self._watched(feeds, self._timeout_s)
        except ModelError:
            raise
        except Exception as error:
            if self._run is _closed:
                raise ModelError(f"{self._name} is closed, and cannot be run") from None
            raise why_failed(self._name, error) from error
        return dict(zip(names, outputs, strict=True))

    async def arun(self, feeds: Feeds) -> dict[str, NDArray[Any]]:
        """The same, for who waits for models; nothing else of the event loop runs meanwhile."""
        return self.run(feeds)

    def close(self) -> None:
        """Let go of it. Again, it does nothing."""
        with self._closing:
            if self._run is _closed:
                return
            self._run = self._run_bound = _closed
        if self._timeout_s is not None:
            WATCHDOG.release()
        self.shared.release()

    def _watched(self, feeds: Feeds, timeout_s: float) -> Any:
        run = WATCHDOG.begin(_run_options(), timeout_s)
        try:
            return self._run(self._names, feeds, run.options)
        except Exception as error:
            if run.expired and is_terminated(error):
                raise ModelError(
                    f"{self._name} was ended in a run that took longer than "
                    f"timeout_ms={timeout_s * 1000:g}: give it shorter inputs, more time or "
                    "another provider"
                ) from error
            raise
        finally:
            WATCHDOG.end(run)


def _closed(*_: object) -> Any:
    raise RuntimeError("closed")


def _dtype(value: Any) -> str:
    return _DTYPES.get(value.type, "")


def _info(value: Any) -> TensorInfo:
    return TensorInfo(value.name, _dtype(value) or value.type, tuple(value.shape))


def _run_options() -> Any:
    options = onnxruntime.RunOptions()
    options.log_severity_level = FATAL_ONLY
    return options
