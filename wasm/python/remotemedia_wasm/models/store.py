"""PageStore: where a page has its models from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any
from urllib.parse import urljoin

from remotemedia.errors import ModelError, ModelNotFoundError
from remotemedia.models.catalog import CATALOG
from remotemedia.models.store import Files, ModelRef


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
        for file in model.files:
            if progress is not None:
                progress(f"loading the model {model.name}: {file.name}")
            own_copy = own and model.name in CATALOG
            url = f"{own}{model.name}/{file.name}" if own_copy else file.url
            if not url:
                raise ModelNotFoundError(
                    f"model {reference!r} can be had from nowhere that a page can reach: put its "
                    f"files ({', '.join(each.name for each in model.files)}) into a folder "
                    f"{model.name}/ of your server, and name the folder above by modelsUrl"
                )
            found[file.name] = await self._get(url, file.sha256, reference)
        return found

    async def _get(self, url: str, sha256: str, reference: str) -> bytes:
        from pyodide.ffi import JsException

        try:
            content: bytes = (await self._host.get(url)).to_bytes()
        except JsException as error:
            raise ModelNotFoundError(
                f"model {reference!r}: {getattr(error, 'message', '') or error}"
            ) from None
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
