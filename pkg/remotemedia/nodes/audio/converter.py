"""Converter: what nodes share that change some fields of the format and keep the others."""

from __future__ import annotations

from collections.abc import Mapping

from remotemedia.caps import Caps, Constraint, Relation
from remotemedia.node import INPUT, OUTPUT, Node, NodeParams


class Converter(Node):
    """A node whose output has the format of its input, but for the fields that it sets."""

    capabilities = "configured"

    @classmethod
    def sets(cls, params: NodeParams) -> Mapping[str, Constraint]:
        """The fields that the node sets, and to what."""
        raise NotImplementedError

    @classmethod
    def output_ports(cls, params: NodeParams) -> dict[str, Caps]:
        """Everything that it takes, with its own fields set."""
        return {OUTPUT: cls.input_ports(params)[INPUT].with_fields(cls.sets(params))}

    @classmethod
    def port_relations(cls, params: NodeParams) -> tuple[Relation, ...]:
        """All but its own fields stay."""
        return (Relation(OUTPUT, INPUT, but=frozenset(cls.sets(params))),)
