"""PageStore: where a page has its models from."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from typing import Any
from urllib.parse import urljoin

from remotemedia.errors import ModelError, ModelNotFoundError
from remotemedia.models.catalog import CATALOG, KnownModel
from remotemedia.models.store import Files, ModelRef

MEGA = 1e6


class Loading:
    """How far a model is whose files come one after the other.

    Parameters
    ----------
    model : KnownModel
    progress : callable, optional
        As of `Context`.
    """

    def __init__(self, model: KnownModel, progress: Callable[..., None] | None) -> None:
        self._model = model
        self._progress = progress
        self._complete = 0  # bytes of the files that are there
        self.arrived(0)

    def arrived(self, count: int) -> None:
        """So many bytes of the next file are here."""
        if self._progress is None:
            return
        name, total, loaded = self._model.name, self._model.size, self._complete + count
        if total:
            words = f"loading the model {name}: {loaded / MEGA:.1f} of {total / MEGA:.1f} MB"
            self._progress(words, min(1.0, loaded / total))
        else:
            self._progress(f"loading the model {name}: {loaded / MEGA:.1f} MB")

    def has(self, content: bytes) -> None:
        """The next file is complete."""
        self._complete += len(content)
        self.arrived(0)


def entered(callback: Callable[[int], None]) -> Callable[[int], None]:
    """What JavaScript may call at any time: what it wakes has its turn at once."""
    enter = getattr(asyncio.get_running_loop(), "enter", None)
    return callback if enter is None else lambda count: enter(callback, count)


class PageStore:
    """Models by HTTP: each file is downloaded once, and then comes from the browser's cache.

    A known model is looked for in the page's own folder (`modelsUrl`: ``silero-vad/…``), if it has
    one, and else where its makers have it. A path is relative to that folder, or else to the page.
    """

    def __init__(self) -> None:
        import remotemedia_onnx

        self._host: Any = remotemedia_onnx

    async def find(self, reference: str, *, progress: Callable[..., None] | None = None) -> Files:
        """All files of a model, by name; see `Store.find`."""
        model = ModelRef.parse(reference).model
        own = self._host.modelsUrl
        if model is None:
            url = urljoin(own or self._host.pageUrl, reference)
            return {reference.rpartition("/")[2]: await self._get(url, "", reference)}
        found = {}
        loading = Loading(model, progress)
        for file in model.files:
            own_copy = own and model.name in CATALOG
            url = f"{own}{model.name}/{file.name}" if own_copy else file.url
            if not url:
                raise ModelNotFoundError(
                    f"model {reference!r} can be had from nowhere that a page can reach: put its "
                    f"files ({', '.join(each.name for each in model.files)}) into a folder "
                    f"{model.name}/ of your server, and name the folder above by modelsUrl"
                )
            content = await self._get(url, file.sha256, reference, loading.arrived)
            loading.has(content)
            found[file.name] = content
        if progress is not None:
            progress(f"opening the model {model.name}")
        return found

    async def _get(
        self, url: str, sha256: str, reference: str, arrived: Callable[[int], None] | None = None
    ) -> bytes:
        from pyodide.ffi import JsException, create_proxy

        told = create_proxy(entered(arrived)) if arrived is not None else None
        try:
            content: bytes = (await self._host.get(url, told)).to_bytes()
        except JsException as error:
            raise ModelNotFoundError(
                f"model {reference!r}: {getattr(error, 'message', '') or error}"
            ) from None
        finally:
            if told is not None:
                told.destroy()
        if not sha256:
            return content
        actual = hashlib.sha256(content).hexdigest()
        if actual != sha256:
            await self._host.drop(url)
            raise ModelError(
                f"model {reference!r}: {url} has the SHA-256 {actual}, not {sha256}: it is "
                "corrupted or of another version"
            )
        from pyodide.ffi import to_js

        await self._host.keep(url, to_js(content))
        return content
