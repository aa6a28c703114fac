"""Outlet: an output port whose packets the client receives."""

from __future__ import annotations


class Outlet:
    """Numbers the packets of one output port.

    Attributes
    ----------
    node, port : str
        Which.
    sequence : int
        Of the last packet.
    sub_sequence : int
        Of the last packet: its number among those of the same sequence.
    """

    __slots__ = ("_before", "_earlier", "_newest", "node", "port", "sequence", "sub_sequence")

    def __init__(self, node: str, port: str) -> None:
        self.node = node
        self.port = port
        self.sequence = -1
        self.sub_sequence = 0
        self._newest = -1
        self._earlier: dict[int, int] = {}
        self._before: dict[int, int] = {}  # those that were in `_earlier` when it was full

    def number(self, sequence: int) -> int:
        """The sub-sequence number of the next packet that stems from `sequence`.

        Behind branches of different speed, sequences come interleaved; the count of each of the
        last 1,024 is remembered.
        """
        if sequence == self.sequence:
            self.sub_sequence += 1
            return self.sub_sequence
        earlier = self._earlier
        earlier[self.sequence] = self.sub_sequence
        if len(earlier) > 1024:
            self._before, self._earlier = earlier, {}
        self.sequence = sequence
        if sequence > self._newest:
            self._newest = sequence
            self.sub_sequence = 0
        else:
            found = self._earlier.pop(sequence, None)
            if found is None:
                found = self._before.get(sequence, -1)
            self.sub_sequence = found + 1
        return self.sub_sequence
