"""Apply: a manifest with converters inserted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

import msgspec

from remotemedia.manifest.model import Connection, Manifest, NodeSpec
from remotemedia.negotiation.insertion import Insertion

MAX_ID = 64


def with_converters(manifest: Manifest, insertions: Iterable[Insertion]) -> Manifest:
    """The manifest with these converters in its connections.

    A queue stays at the source's end of its connection. Inserted nodes stand behind the others and
    are described as such, with what they cost.
    """
    nodes = list(manifest.nodes)
    taken = {node.id for node in nodes}
    connections: dict[int, Sequence[Connection]] = {}
    for edge, chain in insertions:
        index = edge.path[1]
        assert isinstance(index, int)  # noqa: S101 - ("connections", index)
        given = manifest.connections[index]
        ids = new_ids(edge.target, [step.node_type for step in chain], taken)
        for name, step in zip(ids, chain, strict=True):
            nodes.append(
                NodeSpec(
                    id=name,
                    node_type=step.node_type,
                    params=dict(step.params),
                    description=described(step.cost),
                )
            )
        ends = [given.source, *ids, given.target]
        hops = [Connection(source=source, target=target) for source, target in pairwise(ends)]
        hops[0] = msgspec.structs.replace(given, target=ids[0])
        connections[index] = hops
    spread = [
        hop
        for index, connection in enumerate(manifest.connections)
        for hop in connections.get(index, (connection,))
    ]
    return msgspec.structs.replace(manifest, nodes=tuple(nodes), connections=tuple(spread))


def new_ids(before: str, node_types: Iterable[str], taken: set[str]) -> list[str]:
    """Free ids for converters in front of a node, such as ``asr.AudioResample``; now taken."""
    found = []
    for node_type in node_types:
        name, number = _joined(before, node_type, ""), 1
        while name in taken:
            number += 1
            name = _joined(before, node_type, f"-{number}")
        taken.add(name)
        found.append(name)
    return found


def _joined(before: str, node_type: str, suffix: str) -> str:
    kind = node_type[: MAX_ID - len(suffix) - 2]
    return f"{before[: MAX_ID - len(kind) - len(suffix) - 1]}.{kind}{suffix}"


def described(cost: tuple[float, float, str]) -> str:
    """What a converter costs, in words."""
    us_per_s, delay_ms, quality = cost
    parts = [f"about {us_per_s / 1000:.1f} ms of computing per second"]
    if delay_ms:
        parts.append(f"{delay_ms:.1f} ms later")
    if quality:
        parts.append(quality)
    return f"inserted: {', '.join(parts)}"
