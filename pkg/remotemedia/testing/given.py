"""Given: what a node can be given by `run_node`, and what can happen in between."""

from __future__ import annotations

import msgspec

from remotemedia.data import Data
from remotemedia.node import Emit


class Pause(msgspec.Struct, frozen=True):
    """Among the inputs: let time pass, so that timers fire and what is in flight comes out.

    The timers of a node end with its input: a pause after the last one lets them fire.

    Attributes
    ----------
    delay_us : int
        How much, µs. With 0 time stands, and everything that is ready runs.
    """

    delay_us: int = 0


class Interrupt(msgspec.Struct, frozen=True):
    """Among the inputs: barge-in. What is in flight is dropped, and the node is reset."""


Given = Data | Emit | tuple[str, Data] | Pause | Interrupt
"""What a node can be given: data, data for a port, or something that happens in between."""
