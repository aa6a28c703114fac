"""Reference: what a manifest says of a model, taken apart."""

from __future__ import annotations

import re

import msgspec

from remotemedia.errors import ModelError

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
_SHA256 = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")


class Reference(msgspec.Struct, frozen=True):
    """A name, a path, or a URL with its SHA-256: ``https://…/my.onnx#sha256=…``.

    Attributes
    ----------
    name : str
        That it may be of a known model.
    path : str
        That it may be; of any but a URL.
    url, sha256 : str
        Empty if it is none.
    """

    name: str = ""
    path: str = ""
    url: str = ""
    sha256: str = ""

    @property
    def file(self) -> str:
        """The name of the one file."""
        where = self.url.split("?")[0] if self.url else self.path.replace("\\", "/")
        return where.rstrip("/").rpartition("/")[2]

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Take apart what was said.

        Raises
        ------
        ModelError
            It is empty, or a URL of another kind or without a SHA-256.
        """
        if not text.strip():
            raise ModelError("model is empty: give the name of a known model, a path or a URL")
        if not _SCHEME.match(text):
            return cls(name=text if _NAME.fullmatch(text) else "", path=text)
        url, _, sha256 = text.partition("#sha256=")
        if not url.lower().startswith(("https://", "http://")):
            raise ModelError(f"model {text!r}: models are downloaded by https:// only")
        if not _SHA256.fullmatch(sha256.lower()):
            raise ModelError(
                f"model {text!r}: a URL has to say the SHA-256 of its file, in 64 hexadecimal "
                "digits: URL#sha256=… (the makers tell it, or sha256sum does of a file that you "
                "trust)"
            )
        return cls(url=url, sha256=sha256.lower())
