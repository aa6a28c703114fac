"""Writes manifests: plain values, YAML, JSON. Loading what was written gives an equal manifest."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

import msgspec
from msgspec import structs

from remotemedia.errors import DataError
from remotemedia.manifest.model import Manifest, default_of
from remotemedia.manifest.plain import scalar
from remotemedia.manifest.yaml_text import resolve

if TYPE_CHECKING:
    import yaml

_WIDTH = 100  # columns, where lines are folded
# Characters that YAML takes for line breaks, and those that no reader should have to keep apart.
_ESCAPED = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def to_dict(manifest: Manifest) -> dict[str, object]:
    """Plain values, in the order of the model; defaults left out."""
    plain = _struct(manifest)
    metadata = plain.get("metadata")
    if isinstance(metadata, dict) and "extra" in metadata:
        extra = metadata.pop("extra")
        plain["metadata"] = {**metadata, **extra}
    return {"version": manifest.version, **plain}


def to_json(manifest: Manifest) -> str:
    """JSON, two spaces per level."""
    return msgspec.json.format(msgspec.json.encode(to_dict(manifest)), indent=2).decode() + "\n"


def to_yaml(manifest: Manifest) -> str:
    """YAML, quoted so that readers of YAML 1.1 and 1.2 read it alike."""
    import yaml

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, data: object) -> bool:
            return True

    Dumper.add_representer(str, _represent_text)
    # The pure dumper, not libyaml's: the same text in both worlds.
    text: str = yaml.dump(
        to_dict(manifest),
        Dumper=Dumper,
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=None,
        width=_WIDTH,
    )
    return text


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    # PyYAML itself quotes what YAML 1.1 reads as something else (no, on, 1:30, dates).
    style = None
    if _ESCAPED.search(text):
        style = '"'
    elif not isinstance(resolve(text), str):
        style = "'"  # what only YAML 1.2 reads as a number: 0o17, 1e3
    elif "\n" in text:
        style = "|"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


# Not `msgspec.to_builtins`: that turns bytes and dates into text that would load as text.


def _struct(part: msgspec.Struct) -> dict[str, object]:
    return {
        encoded: _plain(value)
        for name, encoded, default in _fields(type(part))
        if (value := getattr(part, name)) != default
    }


def _plain(value: object) -> object:
    if isinstance(value, msgspec.Struct):
        return _struct(value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    try:
        return scalar(value)
    except TypeError as error:
        raise DataError(f"{error}: {value!r:.60}") from None


@functools.cache
def _fields(kind: type[msgspec.Struct]) -> list[tuple[str, str, object]]:
    """Name, name in the manifest and default of each field."""
    return [(field.name, field.encode_name, default_of(field)) for field in structs.fields(kind)]
