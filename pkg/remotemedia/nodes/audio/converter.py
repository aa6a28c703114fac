"""Converter: what nodes share that change some fields of the format and keep the others."""

from __future__ import annotations

from collections.abc import Mapping

from remotemedia.caps import Caps, Constraint
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
        return cls.output_formats(params, {})

    @classmethod
    def output_formats(cls, params: NodeParams, inputs: Mapping[str, Caps]) -> dict[str, Caps]:
        """The format of the input, with its own fields set."""
        accepted = cls.input_ports(params)[INPUT]
        given = accepted.intersect(inputs.get(INPUT, accepted)) or accepted
        return {OUTPUT: given.with_fields(cls.sets(params))}
