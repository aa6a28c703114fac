"""PassThrough: hands every input on."""

from __future__ import annotations

from remotemedia.data import Data
from remotemedia.node import Node


class PassThrough(Node):
    """Hands every input on, the same object, unchanged.

    Latency: none.

    Examples
    --------
    ::

        - {id: tap, node_type: PassThrough, is_output_node: true}
    """

    capabilities = "passthrough"

    def process(self, data: Data) -> Data:
        """The input itself."""
        return data
