"""Nodes that only declare, for tests of negotiation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from remotemedia.node import Node


def declare(
    name: str,
    inputs: Mapping[str, str],
    outputs: Mapping[str, str],
    capabilities: str,
    relations: Iterable[str],
) -> type[Node]:
    """A node class that hands on whatever comes."""
    body: dict[str, Any] = {
        "input_caps": inputs,
        "output_caps": outputs,
        "capabilities": capabilities,
        "relations": tuple(relations),
        "process": lambda self, data, port="in": data,
    }
    return type(name, (Node,), body)
